/**
 * Tagged errors. A message says what was found, what was expected and what to do; no stack trace reaches a user unless `--debug`.
 * @module
 */

/** The manifest or the arguments are faulty: exit code 2. `problems` holds one line a fault. */
export class ManifestError extends Error {
  override readonly name = "ManifestError";
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

/** An input file is not what it should be. `path` is the file; the message says the field, the value found and the remedy. */
export class InputError extends Error {
  override readonly name = "InputError";
  readonly path: string;
  constructor(path: string, message: string, options?: ErrorOptions) {
    super(`${path}: ${message}`, options);
    this.path = path;
  }
}

/** Array lengths or shapes do not belong together. */
export class ShapeError extends Error {
  override readonly name = "ShapeError";
}

/** A stage failed; the message begins with the stage's label. */
export class StageError extends Error {
  override readonly name = "StageError";
  readonly stage: string;
  constructor(stage: string, cause: unknown) {
    super(`${stage}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.stage = stage;
  }
}

/** A run cannot go on for a reason that the user can mend: folder not empty, too few particles, no engine. */
export class RunError extends Error {
  override readonly name = "RunError";
}

/** Every error above says all a user needs; anything else is a fault of tomosieve or a plugin. */
export function isExpected(error: unknown): error is Error {
  return error instanceof ManifestError || error instanceof InputError || error instanceof ShapeError || error instanceof StageError ||
    error instanceof RunError;
}
