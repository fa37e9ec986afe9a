import assert from "node:assert/strict";
import type { Tomogram, Triple } from "../../../streams/contract.ts";
import { InputError, RunError } from "../../../streams/errors.ts";
import command from "../../../plugins/denoisers/command.ts";
import { openMrcVolume } from "../../../plugins/formats/mrc.ts";
import { memoryContext, memoryTomogram, memoryVolume } from "../memory_context.ts";

const shape: Triple = [4, 6, 8];
const script = new URL("../../fixtures/programs/denoise.ts", import.meta.url).pathname;
const voxels = (shift = 0) => Float32Array.from({ length: 4 * 6 * 8 }, (_, i) => Math.sin(i + shift));
const tomogram = (shift = 0): Tomogram => ({
  ...memoryTomogram({ raw: memoryVolume(voxels(shift), shape) }, "tomo 1"),
  metadata: { contrast: "dark" },
});

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "tomosieve_command_" });
  try {
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Runs the plugin with the test's program. */
async function run(folder: string, how: string, given: Record<string, unknown> = {}, input = tomogram(), signal?: AbortSignal) {
  const context = memoryContext();
  const options = {
    program: Deno.execPath(),
    arguments: ["run", "--allow-read", "--allow-write", script, how, "{input}", "{output}", `${folder}/log.txt`],
    cacheFolder: `${folder}/cache`,
    ...given,
  };
  assert.deepEqual(command.check!(command.options.parse(options)), []);
  await using denoiser = await command.create(command.options.parse(options), context, {}) as AsyncDisposable & {
    apply(tomogram: Tomogram, signal: AbortSignal): Promise<Tomogram>;
  };
  const out = await denoiser.apply(input, signal ?? context.signal);
  const read = await out.volumes.processed.readSlab(0, 4);
  return { out, context, read };
}

const filesIn = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
const runs = async (folder: string) => (await Deno.readTextFile(`${folder}/log.txt`)).trim().split("\n").length;

Deno.test("`command` hands the volume to a program as its file has it, and takes the output as a volume", async () => {
  await inFolder(async (folder) => {
    const { out, read } = await run(folder, "copy");
    assert.deepEqual(read, voxels());
    const [kept, words] = filesIn(`${folder}/cache`);
    assert.match(kept, /^tomo_1_[0-9a-f]{24}\.mrc$/);
    assert.equal(words, `${kept}.json`);
    // The file that the program saw held dark particles at 10 A a voxel.
    await using stored = await openMrcVolume(`${folder}/cache/${kept}`);
    assert.deepEqual([(await stored.readSlab(0, 4))[1], stored.voxelSizeAngstrom], [-Math.fround(Math.sin(1)), 10]);
    assert.match(String(out.metadata["volume processed"]), /deno on raw: tomo_1_.*, particles dark/);
  });
});

Deno.test("`command` runs a program again only when its input, its arguments or a file that they name has changed", async () => {
  await inFolder(async (folder) => {
    const weights = `${folder}/weights.bin`;
    await Deno.writeTextFile(weights, "one");
    const given = (more: string[] = []) => ({
      arguments: [
        "run",
        "--allow-read",
        "--allow-write",
        script,
        "copy",
        "{input}",
        "{output}",
        `${folder}/log.txt`,
        `--w=${weights}`,
        ...more,
      ],
    });
    // The log is named by an argument and grows: it must not count here, so it is made anew each time.
    const once = async (more?: string[], input?: Tomogram) => {
      const log = await Deno.readTextFile(`${folder}/log.txt`).catch(() => "");
      await Deno.remove(`${folder}/log.txt`).catch(() => {});
      const { context } = await run(folder, "copy", given(more), input);
      const ran = await Deno.readTextFile(`${folder}/log.txt`).then(() => true, () => false);
      await Deno.remove(`${folder}/log.txt`).catch(() => {});
      assert.equal(log, "");
      assert.equal(context.told.some(({ code }) => code === "command-cached"), !ran);
      return ran;
    };
    assert.deepEqual([await once(), await once()], [true, false]);
    assert.deepEqual([await once(["--more"]), await once(["--more"]), await once()], [true, false, false]);
    assert.deepEqual([await once([], tomogram(1)), await once([], tomogram())], [true, false]);
    await Deno.writeTextFile(weights, "two2");
    assert.deepEqual([await once(), await once()], [true, false]);
  });
});

const failures: [string, string, RegExp][] = [
  [
    "a program that fails",
    "fail",
    /^tomogram "tomo 1": .*deno ended with code 3 after \d+ s; its last words:\n {2}loading weights\n {2}CUDA out of memory/,
  ],
  ["a file that is cut off", "half", /truncated/],
  ["a program that writes nothing", "silent", /ended well, but no file in its folder is "output\.mrc": it left nothing; set "output"/],
  ["another shape", "wrong", /wrote 8 x 6 x 3 voxels \(x, y, z\), the tomogram has 8 x 6 x 4/],
];
for (const [title, how, expected] of failures) {
  Deno.test(`\`command\` refuses ${title} and leaves no file`, async () => {
    await inFolder(async (folder) => {
      await assert.rejects(
        run(folder, how),
        (error: Error) => (error instanceof RunError || error instanceof InputError) && expected.test(error.message),
      );
      assert.deepEqual(filesIn(`${folder}/cache`), []);
      assert.equal(await runs(folder), 1);
    });
  });
}

Deno.test("`command` ends a program at its time limit and when the run is stopped", async () => {
  await inFolder(async (folder) => {
    await assert.rejects(run(folder, "hang", { timeLimitSeconds: 0.4 }), /was stopped after \d+ s, the limit: raise "timeLimitSeconds"/);
    const stop = new AbortController(), reason = new DOMException("stopped", "AbortError");
    const running = run(folder, "hang", {}, tomogram(), stop.signal);
    // Once it has written into its log, it runs.
    while (await runs(folder).catch(() => 0) < 2) await new Promise((resolve) => setTimeout(resolve, 20));
    stop.abort(reason);
    await assert.rejects(running, (error) => error === reason);
    assert.deepEqual(filesIn(`${folder}/cache`), []);
  });
});

Deno.test("`command` says which program is not there, and what is wrong with its options", async () => {
  await inFolder(async (folder) => {
    await assert.rejects(run(folder, "copy", { program: "/no/such/program" }), /could not be started: there is no such program/);
    const faults = (given: Record<string, unknown>) => command.check!(command.options.parse({ program: "x", ...given }));
    assert.match(faults({ arguments: ["{inptu}"] }).join("\n"), /\{inptu\}: expected \{input\}.*\n.*neither \{input\} nor \{file\}/);
    assert.match(faults({ arguments: ["{file}", "{output}"], output: "*_corrected.mrc" })[0], /holds a \*/);
    assert.match(faults({ arguments: ["{file}"], output: "../x.mrc" })[0], /outside/);
  });
});

Deno.test("`command` finds an output whose name is not known", async () => {
  await inFolder(async (folder) => {
    const args = ["run", "--allow-read", "--allow-write", script, "copy", "{input}", "{folder}/{id}_network_7_corrected.mrc"];
    const { read } = await run(folder, "copy", { arguments: args, output: "{id}_*_corrected.mrc" });
    assert.deepEqual(read, voxels());
  });
});
