/**
 * The words of the command line: which verbs there are and what they take.
 * @module
 */
import { Command, InvalidArgumentError, Option } from "commander";
import { VERSION } from "./version.ts";

/** What every verb gets beside its own arguments. */
export interface VerbContext {
  readonly signal: AbortSignal;
  readonly debug: boolean;
}
/** Runs a verb and gives its exit code. */
export type VerbCall = (context: VerbContext) => Promise<number>;

const collect = (value: string, before: string[]) => [...before, value];

function wholeNumber(value: string): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 0 || number > 4294967295) {
    throw new InvalidArgumentError("expected a whole number from 0 to 4294967295.");
  }
  return number;
}
function anyNumber(value: string): number {
  const number = Number(value);
  if (value.trim() === "" || !Number.isFinite(number)) throw new InvalidArgumentError("expected a number.");
  return number;
}
function positiveNumber(value: string): number {
  const number = Number(value);
  if (!(number > 0 && number < Infinity)) throw new InvalidArgumentError("expected a number above 0.");
  return number;
}

const names = (
  value: string,
  before: string[],
) => [...before, ...value.split(",").map((name) => name.trim()).filter((name) => name !== "")];
/** `0-4` and `1,3,7`. */
function seedList(value: string, before: number[]): number[] {
  return [
    ...before,
    ...value.split(",").flatMap((part) => {
      const [first, last = first] = part.split("-").map(wholeNumber);
      if (last < first || last - first > 1000) throw new InvalidArgumentError("expected seeds as 0-4 or 1,3,7.");
      return Array.from({ length: last - first + 1 }, (_, i) => first + i);
    }),
  ];
}

/** Adds the option that lets foreign code in. */
function withPlugins(command: Command): Command {
  const description = "load this plugin, which is code: as the manifest writes it, or its absolute path";
  return command.option("--allow-plugin <spec>", description, collect, []);
}
/** Adds the options that let foreign code and programs run. */
function withAllowances(command: Command): Command {
  return withPlugins(command).option("--allow-command <program>", "let plugins run this program", collect, []);
}

/** Adds the option that says something instead of the manifest. */
function withSettings(command: Command): Command {
  const description =
    "say this instead of the manifest: source.options.contrast=bright, stages[0].options.threshold.deviations=4, run.threads=8";
  return command.option("--set <path=value>", description, collect, []);
}
/** Adds the options that say how coordinates are meant. */
function withReading(command: Command): Command {
  return command
    .option("--tomogram <file>", "a tomogram, or RELION's tomograms.star: its size and voxel size; may be given again", collect, [])
    .option("--voxel-size <angstrom>", "voxel size of the tomogram", positiveNumber)
    .option("--dims <x,y,z>", "size of the tomogram in voxels")
    .option("--unit <unit>", "voxel or angstrom: what the coordinates count, whatever the file says")
    .option("--origin <origin>", "first-voxel or centre: where the coordinates begin, whatever the file says")
    .option("--centre <rule>", "index of the tomogram's centre: half (dims / 2), half-minus-one, floor")
    .option("--first-voxel <number>", "0 or 1: number of the first voxel in motive lists and Dynamo tables")
    .option("--only <tomogram>", "particles of this tomogram alone");
}
/** Adds the options that mend coordinates. */
function withMending(command: Command): Command {
  return command
    .option("--scale <factor>", "multiply coordinates (voxels from the first one) by this", positiveNumber)
    .option("--swap-axes <axes>", "exchange two axes (yz), or say which old axis becomes x, y and z (zyx)")
    .option("--mirror <axes>", "mirror axes of the tomogram: index i becomes n - 1 - i")
    .option("--shift <x,y,z>", "add this to coordinates, in voxels, after all the others")
    .option("--angles <mend>", "invert, reverse (rot and psi exchanged), zxz (z, x, z read as z, y, z); several apart by commas");
}

/**
 * Makes the parser. It prints help and errors itself and throws commander's errors; `call` is told which verb to run, and nothing of a verb
 * is loaded before that.
 *
 * @param ownCompletions Whether the verb `completions` is left to what asks for it.
 */
export function makeProgram(call: (verb: VerbCall) => void, ownCompletions = true): Command {
  const program = new Command("tomosieve").description("Sorts what is inside cells: tomograms in, classes of particles out.")
    .version(VERSION, "--version", "print the version").option("--debug", "print stack traces")
    .helpOption("-h, --help", "print help").exitOverride().showHelpAfterError("(--help says more)")
    .configureOutput({ writeOut: (text) => Deno.stdout.writeSync(new TextEncoder().encode(text)) });
  program.addHelpText("after", "\n<manifest> alone is short for: run <manifest>");

  withAllowances(withSettings(
    program.command("run <manifest>", { isDefault: true }).description("run a pipeline")
      .option("--resume", "go on where the run folder stands").option("--dry-run", "check everything, say what would be done, and stop")
      .option("--json", "print one JSON object to stdout").option("--run-dir <dir>", "folder of the run, instead of the manifest's")
      .option("--seed <n>", "seed, instead of the manifest's", wholeNumber),
  ))
    .action((manifest, options) =>
      call(async ({ signal, debug }) => {
        const { runVerb } = await import("./verbs/run.ts");
        const { resume = false, dryRun = false, json = false, runDir, seed, set, allowPlugin, allowCommand } = options;
        return await runVerb({
          ...{ manifest, resume, dryRun, json, runDir, seed, signal, debug },
          settings: set,
          allowPlugins: allowPlugin,
          allowCommands: allowCommand,
        });
      })
    );

  withAllowances(withSettings(
    program.command("lint <manifest>").description("check a pipeline, and say all that is wrong")
      .option("--json", "print one JSON object to stdout"),
  ))
    .action((manifest, { json = false, set, allowPlugin, allowCommand }) =>
      call(async () => {
        const { lintVerb } = await import("./verbs/lint.ts");
        return await lintVerb({ manifest, json, settings: set, allowPlugins: allowPlugin, allowCommands: allowCommand });
      })
    );

  withAllowances(withSettings(
    program.command("infer <model> <tomograms...>").description("label new tomograms, or stacks of boxes, with a trained model")
      .requiredOption("--out <dir>", "folder of the results").option("--resume", "go on where the folder stands")
      .option("--json", "print one JSON object to stdout"),
  ))
    .action((model, tomograms, { out, resume = false, json = false, set, allowPlugin, allowCommand }) =>
      call(async ({ signal, debug }) => {
        const { inferVerb } = await import("./verbs/infer.ts");
        return await inferVerb({
          ...{ model, tomograms, out, resume, json, signal, debug },
          settings: set,
          allowPlugins: allowPlugin,
          allowCommands: allowCommand,
        });
      })
    );

  program.command("simulate <scene>").description("make tomograms or boxes whose truth is known")
    .requiredOption("--out <dir>", "folder of the volumes and the truth").option("--json", "print one JSON object to stdout")
    .action((scene, { out, json = false }) =>
      call(async ({ signal }) => {
        const { simulateVerb } = await import("./verbs/simulate.ts");
        return await simulateVerb({ scene, out, json, signal });
      })
    );

  program.command("score <labels> <truth>").description("compare labels with the truth")
    .option("--distance <voxels>", "farthest that a pick may be from its particle", positiveNumber)
    .option("--json", "print one JSON object to stdout")
    .action((labels, truth, { json = false, distance }) =>
      call(async () => {
        const { scoreVerb } = await import("./verbs/score.ts");
        return await scoreVerb({ labels, truth, json, distanceVoxels: distance });
      })
    );

  program.command("benchmark").description("compare methods on simulated sets, or on your own labelled boxes")
    .addOption(
      new Option("--set <name>", "structures and seeds to choose with, or those to report with").choices(["choosing", "reporting"]).default(
        "choosing",
      ),
    )
    .option("--conditions <names>", "some conditions only: names by commas, * stands for anything", names, [])
    .option("--methods <names>", "some methods only", names, [])
    .option("--manifest <file>", "compare the learner of this manifest too", collect, [])
    .option("--seeds <list>", "seeds: 0-4, or 1,3,7", seedList, [])
    .option("--boxes <n>", "boxes of a set", wholeNumber, 1000).option("--box-voxels <n>", "side of a box", wholeNumber, 24)
    .option("--stack <file>", "your own boxes, with --labels").option("--labels <csv>", "their true labels: column label, row i for box i")
    .addOption(new Option("--contrast <name>", "how particles look in --stack").choices(["dark", "bright"]).default("dark"))
    .option("--tilt <degrees>", "tilt range of --stack: minus to plus this", positiveNumber)
    .option("--structures <dir>", "simulate boxes of these maps and atomic structures, with --voxel-size")
    .option("--voxel-size <angstrom>", "voxel size of such boxes", positiveNumber)
    .option("--map-threshold <density>", "densities of maps below this become 0", anyNumber)
    .option("--out <dir>", "folder of results; a second call goes on there", "runs/benchmark")
    .option("--list", "list conditions and methods").option("--json", "print a JSON line a cell to stdout")
    .action(({ list = false, json = false, manifest, tilt, voxelSize, ...options }) =>
      call(async ({ signal }) => {
        const { benchmarkVerb } = await import("./verbs/benchmark.ts");
        return await benchmarkVerb({
          ...options,
          list,
          json,
          signal,
          manifests: manifest,
          tiltDegrees: tilt,
          voxelSizeAngstrom: voxelSize,
        });
      })
    );

  program.command("inspect <files...>").description("one screen on any volume or particle file: what it is, and what is odd about it")
    .option("--header", "leave the voxels unread").option("--json", "print one JSON object to stdout")
    .action((files, { header = false, json = false }) =>
      call(async ({ signal }) => {
        const { inspectVerb } = await import("./verbs/inspect.ts");
        return await inspectVerb({ files, header, json, signal });
      })
    );

  withMending(withReading(
    program.command("convert <source> <target>").description(
      "turn a file of particles into another program's, or a volume into MRC, EM or OME-Zarr",
    )
      .option("--from <format>", "format of the source; left out: by its content"),
  ))
    .option("--to <format>", "format of the target; left out: by its ending (.star keeps RELION's dialect, otherwise RELION 5)")
    .option("--to-voxel-size <angstrom>", "size of the voxels that the target counts, instead of the tomogram's", positiveNumber)
    .option("--to-unit <unit>", "voxel or angstrom, for tables")
    .option("--to-centre <rule>", "centre of centred coordinates in the target: half (dims / 2), half-minus-one, floor")
    .option("--to-first-voxel <number>", "0 or 1: number of the first voxel in motive lists and Dynamo tables")
    .option("--object <name>", "name of the particle, for copick, EMAN2 and IMOD").option("--box <voxels>", "edge of boxes", positiveNumber)
    .option("--half", "volumes only: half-precision numbers (MRC mode 12)")
    .option("--overwrite", "replace the target where it exists").option("--json", "print one JSON object to stdout")
    .action((source, target, { overwrite = false, json = false, half = false, ...options }) =>
      call(async ({ signal }) => {
        const { convertVolume, isVolumeConversion } = await import("./verbs/convert_volume.ts");
        if (await isVolumeConversion(source, target)) {
          const voxelSize = options.toVoxelSize ?? options.voxelSize;
          return await convertVolume({ source, target, voxelSize, half, overwrite, json, signal });
        }
        const { convertVerb } = await import("./verbs/convert.ts");
        return await convertVerb({ ...options, source, target, overwrite, json });
      })
    );

  withReading(
    program.command("compare <particles> <other>")
      .description("say whether a particle file agrees with another, or with a tomogram, and which command mends it")
      .option("--from <format>", "format of the first file; left out: by its content")
      .option("--tolerance <voxels>", "farthest that two points of a pair may be apart", positiveNumber)
      .option("--json", "print one JSON object to stdout"),
  )
    .action((first, second, { json = false, ...options }) =>
      call(async () => {
        const { compareVerb } = await import("./verbs/compare.ts");
        return await compareVerb({ ...options, first, second, json });
      })
    );

  withPlugins(program.command("report <run>").description("write the results of a finished run again"))
    .action((run, { allowPlugin }) =>
      call(async ({ signal }) => {
        const { reportVerb } = await import("./verbs/report.ts");
        return await reportVerb({ run, signal, allowPlugins: allowPlugin });
      })
    );

  program.command("plugins").description("list the built-in plugins").option("--json", "print a JSON list to stdout")
    .action(({ json = false }) =>
      call(async () => {
        const { pluginsVerb } = await import("./verbs/plugins.ts");
        return await pluginsVerb({ json });
      })
    );

  program.command("engines").description("try every engine on this machine: which work, and how fast they are")
    .option("--threads <n>", "threads for an engine, instead of all there are", wholeNumber)
    .option("--json", "print one JSON object to stdout")
    .action(({ json = false, threads }) =>
      call(async ({ signal }) => {
        const { enginesVerb } = await import("./verbs/engines.ts");
        return await enginesVerb({ json, threads, signal });
      })
    );

  program.command("describe <plugin>").description("say what a plugin does and which options it takes")
    .option("--json", "print one JSON object to stdout")
    .action((plugin, { json = false }) =>
      call(async () => {
        const { describeVerb } = await import("./verbs/describe.ts");
        return await describeVerb({ plugin, json });
      })
    );

  program.command("schema").description("print the JSON Schema of a manifest, for editors")
    .action(() => call(async () => (await import("./verbs/schema.ts")).schemaVerb()));

  if (ownCompletions) {
    program.command("completions <shell>").description("print a script that completes this command line (bash, zsh, fish, powershell)")
      .action((shell) => call(async () => (await import("./verbs/completions.ts")).completionsVerb({ shell })));
    program.command("complete", { hidden: true }).argument("[words...]").allowUnknownOption()
      .action((words) => call(async () => (await import("./verbs/completions.ts")).completeVerb({ words })));
  }
  return program;
}
