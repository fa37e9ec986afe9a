/**
 * Makes a picture of a page as chromium shows it.
 *
 * deno run -A --no-lock tests/proof/screenshot.ts PAGE.html OUT.png [--width 1280] [--height 900] [--dark] [--scale 1]
 *
 * Without --height the whole page is taken.
 * @module
 */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { openBrowser, resizePage } from "./chromium.ts";

const { values, positionals: [source, target] } = parseArgs({
  allowPositionals: true,
  options: {
    width: { type: "string", default: "1280" },
    height: { type: "string" },
    scale: { type: "string", default: "1" },
    dark: { type: "boolean", default: false },
  },
});
if (source === undefined || target === undefined) {
  console.error("give a page and the name of the picture: screenshot.ts PAGE.html OUT.png");
  Deno.exit(2);
}
const width = Number(values.width);
await using page = await openBrowser();
await resizePage(page, width, Number(values.height ?? 900), values.dark);
await page.open(pathToFileURL(resolve(source)).href);
const height = Number(values.height ?? await page.evaluate<number>("document.documentElement.scrollHeight"));
const { data } = await page.send("Page.captureScreenshot", {
  format: "png",
  captureBeyondViewport: true,
  clip: { x: 0, y: 0, width, height, scale: Number(values.scale) },
});
await Deno.writeFile(target, Uint8Array.fromBase64(data));
