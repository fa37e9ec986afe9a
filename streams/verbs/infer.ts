/**
 * `infer`: new tomograms through a trained model.
 * @module
 */
import { inferPipeline } from "../infer.ts";
import { stderrProgress } from "../progress.ts";
import { report, sayHowToGoOn } from "./run.ts";

/** What the command line gives. */
export interface InferVerbOptions {
  readonly model: string;
  readonly tomograms: readonly string[];
  readonly out: string;
  readonly resume?: boolean;
  readonly json?: boolean;
  readonly settings?: readonly string[];
  readonly allowPlugins?: readonly string[];
  readonly allowCommands?: readonly string[];
  readonly debug?: boolean;
  readonly signal: AbortSignal;
}

/** @returns 0; faults are thrown. */
export async function inferVerb(options: InferVerbOptions): Promise<number> {
  const progress = stderrProgress();
  try {
    report(await inferPipeline({ ...options, progress }), options.json ?? false, progress.log);
  } catch (error) {
    sayHowToGoOn(options.signal, progress.log);
    throw error;
  } finally {
    progress.close();
  }
  return 0;
}
