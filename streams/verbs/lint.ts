/**
 * `lint <manifest>`: every fault of a manifest, one line each.
 * @module
 */
import { lintManifest } from "../manifest.ts";

/** Arguments of `lint`. */
export interface LintArguments {
  readonly manifest: string;
  readonly allowPlugins: readonly string[];
  readonly allowCommands: readonly string[];
  /** `PATH=VALUE`, instead of what the manifest says. */
  readonly settings?: readonly string[];
  readonly json: boolean;
}

const count = (n: number, word: string) => `${n} ${word}${n === 1 ? "" : "s"}`;

/**
 * Prints the faults and warnings of a manifest to stdout (`json`: as one object) and their number to stderr.
 *
 * @returns Exit code 0 without a fault, 2 with one.
 * @throws {ManifestError} When the manifest cannot be read.
 */
export async function lintVerb({ manifest, allowPlugins, allowCommands, settings, json }: LintArguments): Promise<number> {
  const { problems, warnings } = await lintManifest(manifest, { allowPlugins, allowCommands, overrides: { settings } });
  if (json) {
    console.log(JSON.stringify({ manifest, problems, warnings }, null, 2));
  } else {
    for (const problem of problems) console.log(problem);
    for (const warning of warnings) console.log(`warning: ${warning}`);
    const found = problems.length + warnings.length === 0
      ? "no fault"
      : `${count(problems.length, "fault")}, ${count(warnings.length, "warning")}`;
    console.error(`${manifest}: ${found}`);
  }
  return problems.length > 0 ? 2 : 0;
}
