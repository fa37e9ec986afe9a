/**
 * `engines`: which engines work on this machine, and how fast they are.
 * @module
 */
import { cpus } from "node:os";
import { createRandom } from "../../plugins/kernels/random.ts";
import type { EngineFinding, PluginContext } from "../contract.ts";
import { RunError } from "../errors.ts";
import { WorkerPool } from "../pool.ts";
import { type BuiltIns, loadBuiltIns } from "../registry.ts";
import { VERSION } from "../version.ts";

/** What the command line gives. */
export interface EnginesVerbOptions {
  readonly json: boolean;
  /** Threads for each engine; as many as the machine has processors when absent. */
  readonly threads?: number;
  readonly signal: AbortSignal;
  /** Other plugins than tomosieve's own. */
  readonly builtIns?: BuiltIns;
}

/**
 * Tries every engine and prints a table to stdout; `json`: one object `{machine, versions, engines}`.
 *
 * @returns Exit code 0 when at least one engine works, otherwise 1.
 */
export async function enginesVerb({ json, threads, signal, builtIns }: EnginesVerbOptions): Promise<number> {
  using pool = new WorkerPool(1);
  const stage = "engines";
  const context: PluginContext = {
    stage,
    signal,
    random: (...key) => createRandom(0, stage, ...key),
    pool,
    scratch: { volume: () => Promise.reject(new RunError("no volume can be kept outside a run")) },
    progress() {},
    drop() {},
    warn: (_, message) => console.error(`warning: ${message}`),
    note: (_, message) => console.error(message),
  };
  const findings: EngineFinding[] = [];
  for (const plugin of await loadBuiltIns(builtIns)) {
    if (!plugin.survey) continue;
    const options = plugin.options.parse(threads === undefined ? {} : { threads });
    for await (const finding of plugin.survey(options, context)) {
      findings.push(finding);
      console.error(`${titleOf(finding)}: ${finding.available ? "works" : finding.reason}`);
    }
  }
  const machine = { host: Deno.hostname(), processor: cpus()[0]?.model ?? Deno.build.arch, processors: navigator.hardwareConcurrency };
  const versions = { tomosieve: VERSION, deno: Deno.version.deno };
  if (json) console.log(JSON.stringify({ machine, versions, engines: findings }));
  else {
    console.log(`${machine.processor}, ${machine.processors} processors; tomosieve ${VERSION}, Deno ${Deno.version.deno}`);
    console.log(tableOf(findings));
    console.log("ms: one training step of quarter-width YOPO at 24 voxels, batch 8, a subtomogram");
  }
  return findings.some(({ available }) => available) ? 0 : 1;
}

function titleOf({ engine, options }: EngineFinding): string {
  return [engine, ...Object.values(options)].join(" ");
}

/** One line an engine, the reason last because it is long. */
function tableOf(findings: readonly EngineFinding[]): string {
  const rows = [
    ["engine", "available", "device", "precision", "ms", "reason"],
    ...findings.map((finding) => [
      titleOf(finding),
      finding.available ? "yes" : "no",
      finding.device ?? "-",
      finding.precision ?? "-",
      finding.msPerSubtomogram?.toFixed(1) ?? "-",
      finding.reason,
    ]),
  ];
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) => row.map((cell, column) => column === row.length - 1 ? cell : cell.padEnd(widths[column])).join("  ")).join("\n");
}
