import { strict as assert } from "node:assert";
import { type AnyPlugin, definePlugin, type EngineFinding, z } from "tomosieve";
import { enginesVerb } from "../../../streams/verbs/engines.ts";

/** A plugin that surveys what it is told to, and one that surveys nothing. */
function plugins(findings: readonly EngineFinding[]): Record<string, () => Promise<{ default: AnyPlugin }>> {
  const base = { apiVersion: 1, kind: "engine", summary: "stands in", create: () => assert.fail("not to be opened") } as const;
  const threads = z.int().optional().meta({ description: "Threads" });
  const chooser = definePlugin({
    ...base,
    name: "chooser",
    options: z.strictObject({ threads }),
    async *survey({ threads }) {
      for (const finding of findings) yield { ...finding, reason: `${finding.reason}, ${threads ?? "all"} threads` };
    },
  });
  const plain = definePlugin({ ...base, name: "plain", options: z.strictObject({}) });
  return { chooser: () => Promise.resolve({ default: chooser }), plain: () => Promise.resolve({ default: plain }) };
}

/** Runs the verb and gives its exit code and what it printed to stdout. */
async function printed(findings: readonly EngineFinding[], json: boolean, threads?: number): Promise<{ code: number; lines: string[] }> {
  const lines: string[] = [];
  const [log, error] = [console.log, console.error];
  console.log = (line: string) => lines.push(line);
  console.error = () => {};
  try {
    const code = await enginesVerb({ json, threads, signal: new AbortController().signal, builtIns: plugins(findings) });
    return { code, lines: lines.flatMap((text) => text.split("\n")) };
  } finally {
    [console.log, console.error] = [log, error];
  }
}

const right: EngineFinding = {
  ...{ engine: "fast", options: { backend: "gpu" }, available: true, reason: "self-test passed" },
  ...{ device: "gpu", precision: "float16", msPerSubtomogram: 1.25 },
};
const absent: EngineFinding = {
  ...{ engine: "other", options: {}, available: false, reason: "libother.so is missing" },
  ...{ device: null, precision: null, msPerSubtomogram: null },
};

Deno.test("`engines` prints a line for each engine", async () => {
  const { code, lines } = await printed([right, absent], false, 3);
  assert.equal(code, 0);
  assert.deepEqual(lines.slice(1, 4), [
    "engine    available  device  precision  ms   reason",
    "fast gpu  yes        gpu     float16    1.3  self-test passed, 3 threads",
    "other     no         -       -          -    libother.so is missing, 3 threads",
  ]);
});

Deno.test("`engines --json` prints one object", async () => {
  const { code, lines } = await printed([right, absent], true);
  assert.equal(code, 0);
  assert.equal(lines.length, 1);
  const { machine, versions, engines } = JSON.parse(lines[0]);
  assert.deepEqual(engines, [right, absent].map((finding) => ({ ...finding, reason: `${finding.reason}, all threads` })));
  assert.equal(machine.processors, navigator.hardwareConcurrency);
  assert.equal(versions.deno, Deno.version.deno);
});

Deno.test("`engines` fails when no engine works", async () => {
  assert.equal((await printed([absent], false)).code, 1);
});
