/**
 * Proves in a real browser that the report loads nothing, breaks no rule of its own content security policy, says nothing on the console,
 * fits a telephone, and runs nothing that a hostile name carries. Needs Debian's chromium (apt-get install chromium).
 *
 * deno test -A --no-lock tests/proof/report_browser_test.ts
 * @module
 */
import { deepStrictEqual } from "node:assert/strict";
import { pathToFileURL } from "node:url";
import report from "../../plugins/sinks/report.ts";
import { fakeContext, fakeRun } from "../plugins/sinks/fake_run.ts";
import { type BrowserPage, findChromium, openBrowser, resizePage } from "./chromium.ts";

/** Writes the report of a made-up run whose every string tries to break out of its place. */
async function hostileReport(): Promise<string> {
  const directory = await Deno.makeTempDir({ prefix: "tomosieve-report-" });
  const sink = await report.create(report.options.parse({ pictures: false }), fakeContext().context, {});
  const attack = `"'><img src=x onerror="document.title='run'"><script>document.title='run'</script><style>body{display:none}</style>`;
  const view = fakeRun({ tomograms: [attack, "tomo_02"], labels: [attack, `it's "b"`, "c", "d", "e"] });
  await sink.write({ ...view, events: [...view.events, { type: "warning", stage: attack, code: "x", message: attack }] }, directory);
  return `${directory}/report.html`;
}

/** What the page did that it should not have done. */
async function findFaults(page: BrowserPage): Promise<string[]> {
  const faults: string[] = [];
  for (const { method, params } of page.events) {
    if (method === "Network.requestWillBeSent" && !/^(file|data|about):/.test(params.request.url)) {
      faults.push(`request: ${params.request.url}`);
    }
    if (method === "Network.loadingFailed") faults.push(`failed request: ${params.errorText}`);
    if (method === "Runtime.consoleAPICalled" || method === "Runtime.exceptionThrown") {
      faults.push(`console: ${JSON.stringify(params).slice(0, 300)}`);
    }
    if (method === "Log.entryAdded") faults.push(`log: ${params.entry.text}`);
    if (method === "Audits.issueAdded") faults.push(`issue: ${JSON.stringify(params.issue).slice(0, 300)}`);
  }
  const files = page.events.filter(({ method, params }) =>
    method === "Network.requestWillBeSent" && params.request.url.startsWith("file:")
  );
  if (files.length !== 1) faults.push(`${files.length} files were read, expected the report alone`);
  if (
    !await page.evaluate<boolean>("document.fonts.status === 'loaded' && getComputedStyle(document.querySelector('h1')).fontWeight >= 600")
  ) {
    faults.push("the style sheet was not applied: its hash in the policy is wrong");
  }
  if (await page.evaluate<boolean>("document.title === 'run' || document.scripts.length > 0")) faults.push("a script stands in the page");
  const pictures = await page.evaluate<number>("[...document.images].filter((image) => image.naturalWidth === 0).length");
  if (pictures > 0) faults.push(`${pictures} pictures do not show`);
  for (const width of [1280, 760, 400, 320]) {
    for (const dark of [false, true]) {
      await resizePage(page, width, 900, dark);
      const wide = await page.evaluate<number>("document.documentElement.scrollWidth");
      if (wide > width) faults.push(`${wide} pixels wide on a screen of ${width}`);
    }
  }
  await resizePage(page, 1280, 900, false);
  await page.evaluate("document.querySelector('#show-1')?.click()");
  await page.evaluate("document.body.getAnimations({subtree: true}).forEach((animation) => animation.finish())");
  const dimmed = await page.evaluate<string>("getComputedStyle(document.querySelector('article[data-c=\"0\"]') ?? document.body).opacity");
  if (await page.evaluate<boolean>("document.querySelector('#show-1') !== null") && Number(dimmed) > 0.5) {
    faults.push("the class filter does nothing");
  }
  return faults;
}

const chromium = findChromium();
if (chromium === null) console.error("skipped: no chromium on PATH (apt-get install chromium)");

Deno.test({
  name: "the report makes no request, logs nothing, runs no hostile name and fits every screen",
  ignore: chromium === null,
  fn: async () => {
    const path = await hostileReport();
    await using page = await openBrowser();
    await resizePage(page, 1280, 900, false);
    await page.open(pathToFileURL(path).href);
    deepStrictEqual(await findFaults(page), []);
  },
});
