/**
 * `run`: a manifest from beginning to end.
 * @module
 */
import { exists } from "../bundle.ts";
import { RunError } from "../errors.ts";
import { loadManifest } from "../manifest.ts";
import { stderrProgress } from "../progress.ts";
import { describeForecast, forecastScratch } from "../scratch_forecast.ts";
import { counted, describeRun, runPipeline, type RunSummary } from "../run.ts";

/** What the command line gives. */
export interface RunVerbOptions {
  readonly manifest: string;
  readonly resume?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
  readonly runDir?: string;
  readonly seed?: number;
  readonly settings?: readonly string[];
  readonly allowPlugins?: readonly string[];
  readonly allowCommands?: readonly string[];
  readonly signal: AbortSignal;
}

/** @returns 0; faults are thrown. */
export async function runVerb(options: RunVerbOptions): Promise<number> {
  const { manifest, allowPlugins, allowCommands, runDir, seed, settings, signal, json } = options;
  const file = await loadManifest(manifest, { allowPlugins, allowCommands, overrides: { runDir, seed, settings } });
  const progress = stderrProgress();
  if (options.dryRun) {
    for (const line of describeRun(file.manifest)) progress.log(line);
    const scratch = await forecastScratch(file.manifest, signal);
    for (const line of describeForecast(scratch)) progress.log(line);
    for (const warning of file.warnings) progress.log(`warning: ${warning}`);
    if (json) console.log(JSON.stringify({ status: "dry-run", scratch, manifest: file.resolved() }));
    return 0;
  }
  try {
    report(await runPipeline(file, { resume: options.resume, signal, progress }), json ?? false, progress.log);
  } catch (error) {
    sayHowToGoOn(signal, progress.log);
    throw error;
  } finally {
    progress.close();
  }
  return 0;
}

/** Tells a user who has stopped a command how to go on with it. */
export function sayHowToGoOn(signal: AbortSignal, log: (line: string) => void): void {
  if (!signal.aborted || signal.reason instanceof RunError) return;
  log("interrupted: the same command with --resume goes on from here");
}

/** The closing lines for a person, and the one JSON object for a program. */
export function report(summary: RunSummary, json: boolean, log: (line: string) => void): void {
  const { metrics, k } = summary;
  log(
    `done in ${summary.seconds} s: ${counted(summary.tomograms, "tomogram")}, ${counted(summary.particles, "particle")}${
      k === null ? "" : `, ${counted(k, "class")}${k === 1 ? " (no structure found)" : ""}`
    }`,
  );
  if (metrics) {
    const shown = (value: number | null) => value === null ? "-" : value.toFixed(3);
    log(
      `against the truth: recall ${shown(metrics.recall)}, precision ${shown(metrics.precision)}, ARI ${shown(metrics.ari)}, V-measure ${
        shown(metrics.vMeasure)
      }`,
    );
  }
  log(`results: ${summary.runDir}`);
  if (exists(`${summary.runDir}/report.html`)) log(`report: ${summary.runDir}/report.html`);
  if (json) console.log(JSON.stringify(summary));
}
