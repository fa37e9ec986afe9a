/** A stage that runs an external program needs two permissions, says the whole command for each, and then runs. */
import { strict as assert } from "node:assert";
import { inCheckout } from "./command.ts";
import { assertSays, boxes, dog, failing, filesBelow, inFolder, tomograms, writeSample } from "./sample.ts";

const program = Deno.execPath();
const manifest = {
  version: 1,
  source: tomograms(),
  stages: [
    {
      use: "command",
      options: {
        program,
        arguments: ["run", "--allow-read", "--allow-write", inCheckout("tests/fixtures/programs/denoise.ts"), "copy", "{file}", "{output}"],
        name: "copied",
      },
    },
    dog({ volume: "copied" }),
    boxes(),
  ],
  sinks: [{ use: "particles-table", options: { formats: ["csv"] } }],
  run: { dir: "run", threads: 1 },
};

Deno.test("a command stage runs when both permissions are there, and says how to give either", async () => {
  await inFolder({ "pipeline.json": manifest }, async (folder) => {
    await writeSample(`${folder}/tomo.mrc`);
    const path = `${folder}/pipeline.json`;
    assertSays(await failing(2, "run", path), 'stages[0] "command"', `add --allow-command=${program}`);
    const denied = await failing(2, "run", path, `--allow-command=${program}`);
    assertSays(denied, `deno run -P --allow-run=${program} ${inCheckout("cli.ts")} run ${path} --allow-command=${program} --json`);
    assert.deepEqual(filesBelow(folder), ["pipeline.json", "tomo.mrc"]);

    const flags = ["--allow-read", "--allow-write", "--allow-env", "--allow-sys", "--allow-ffi", `--allow-run=${program}`, "--no-prompt"];
    const { code, stderr } = await new Deno.Command(program, {
      args: ["run", ...flags, inCheckout("cli.ts"), "run", path, `--allow-command=${program}`],
      stdin: "null",
      stderr: "piped",
    }).output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    assert.match(filesBelow(folder).join("\n"), /^command_results\/tomo_[0-9a-f]{24}\.mrc$/m);
    assert.equal((await Deno.readTextFile(`${folder}/run/particles.csv`)).trim().split("\n").length, 76);
  });
});
