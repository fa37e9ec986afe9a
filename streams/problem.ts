/**
 * One fault of a manifest, and how it reads.
 * @module
 */
import type { LocatedText, Place, ValuePath } from "./locate.ts";

/** The order in which faults are reported. */
export const phases = ["syntax", "shape", "plugins", "options", "stage types", "check", "resources"] as const;
/** When a fault is found. */
export type Phase = (typeof phases)[number];

/** One fault or warning. */
export interface Problem {
  readonly phase: Phase;
  /** Stable kebab-case name: `unknown-option`. */
  readonly code: string;
  /** Where it stands in the manifest. */
  readonly path: ValuePath;
  /** Whether the key itself is at fault, and not its value. */
  readonly onKey?: boolean;
  /** Set when the text is at fault and no path leads there. */
  readonly place?: Place;
  /** `stages[1] "dog"`, or `null` for the manifest as a whole. */
  readonly stage: string | null;
  /** What was found, what was expected, what to do. */
  readonly message: string;
}

function placeOf(problem: Problem, text: LocatedText): Place {
  return problem.place ?? text.place(problem.path, problem.onKey);
}

/** Sorts by phase, then by where a fault stands; of faults that read the same, one is left. */
export function sortProblems(problems: readonly Problem[], text: LocatedText): Problem[] {
  const rank = (problem: Problem) => {
    const { line, column } = placeOf(problem, text);
    return [phases.indexOf(problem.phase), line, column];
  };
  const sorted = problems.map((problem) => ({ problem, rank: rank(problem) }));
  sorted.sort((a, b) => a.rank[0] - b.rank[0] || a.rank[1] - b.rank[1] || a.rank[2] - b.rank[2]);
  const seen = new Set<string>();
  return sorted.map((entry) => entry.problem).filter((problem) => {
    const key = JSON.stringify([problem.path, problem.code, problem.message]);
    return !seen.has(key) && seen.add(key);
  });
}

/**
 * Writes a fault as one line: `pipeline.json:11:46 stages[1] "dog": unknown option "sigmaVoxel": did you mean "sigmaVoxels"?
 * [unknown-option]`. Control characters of the manifest's own text are escaped.
 */
export function formatProblem(problem: Problem, name: string, text: LocatedText): string {
  const { line, column } = placeOf(problem, text);
  const stage = problem.stage === null ? "" : `${problem.stage}: `;
  const escaped = (c: string) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`;
  const message = `${stage}${problem.message}`.replace(/\p{Cc}/gu, escaped);
  return `${name}:${line}:${column} ${message} [${problem.code}]`;
}

/** Collects faults, which end a run, and warnings, which do not. */
export class Findings {
  readonly problems: Problem[] = [];
  readonly warnings: Problem[] = [];
  readonly #strict: boolean;

  /** @param strict Whether what could not be checked is a fault. */
  constructor(strict: boolean) {
    this.#strict = strict;
  }
  fault(problem: Problem): void {
    this.problems.push(problem);
  }
  warn(problem: Problem): void {
    this.warnings.push(problem);
  }
  /** Something that could not be checked: a fault for `run`, a warning for `lint`. */
  unchecked(problem: Problem): void {
    (this.#strict ? this.problems : this.warnings).push(problem);
  }
}
