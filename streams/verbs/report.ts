/**
 * `report`: writes a finished run's sinks again, from its folder alone.
 * @module
 */
import { resolve } from "node:path";
import { ManifestError } from "../errors.ts";
import { Ledger } from "../ledger.ts";
import { loadManifest } from "../manifest.ts";
import { stderrProgress } from "../progress.ts";
import { openRunFolder } from "../run_folder.ts";
import { runSinks } from "../run.ts";
import { Session } from "../session.ts";
import { scoreParticles } from "../run_truth.ts";

/** What the command line gives. */
export interface ReportVerbOptions {
  readonly run: string;
  readonly allowPlugins?: readonly string[];
  readonly signal: AbortSignal;
}

/** @returns 0; faults are thrown. */
export async function reportVerb({ run, allowPlugins, signal }: ReportVerbOptions): Promise<number> {
  const dir = resolve(run);
  const file = await loadManifest(`${dir}/manifest.json`, { allowPlugins, overrides: { runDir: dir } });
  const { manifest } = file;
  const progress = stderrProgress();
  using _folder = openRunFolder(file, true);
  using ledger = new Ledger(`${dir}/run.sqlite`);
  if (!ledger.fact("done")) throw new ManifestError([`${run}: this run has not ended: go on with it by "run ... --resume" first`]);
  await using session = new Session(manifest, ledger, progress, signal);
  const truth = manifest.truth === null ? null : await scoreParticles(session);
  await runSinks(session, ledger.fact<string>("verb") ?? "run", { ...file.resolved() }, truth);
  for (const sink of manifest.sinks) progress.log(`${sink.label}: written`);
  if (manifest.sinks.length === 0) progress.log("the manifest of this run names no sinks: nothing to write");
  await session.scratch.clear();
  return 0;
}
