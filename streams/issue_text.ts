/**
 * Turns zod's issues into words: what was found, what was expected, which name was probably meant.
 * @module
 */
import type { OptionsSchema } from "./contract.ts";
import type { ValuePath } from "./locate.ts";
import { nearestName, suggestName } from "./nearest_name.ts";
import { keysAt, metaAt } from "./option_schema.ts";

/** What a value of the manifest is called: `option` inside `options`, `key` elsewhere. */
export type Noun = "option" | "key";

/** A fault of one value, with its path below the value that was parsed. */
export interface IssueText {
  readonly path: ValuePath;
  readonly onKey: boolean;
  readonly code: string;
  readonly message: string;
}

/** The issues of zod 4 as far as they are read here. */
interface Issue {
  readonly code: string;
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly keys?: readonly string[];
  readonly expected?: string;
  readonly values?: readonly unknown[];
  readonly options?: readonly unknown[];
  readonly minimum?: number | bigint;
  readonly maximum?: number | bigint;
  readonly inclusive?: boolean;
  readonly exact?: boolean;
  readonly origin?: string;
  readonly divisor?: number | bigint;
  readonly errors?: readonly (readonly Issue[])[];
}

const typeWords: Readonly<Record<string, string>> = {
  number: "a number",
  int: "a whole number",
  string: "a string",
  boolean: "true or false",
  array: "a list",
  tuple: "a list",
  object: "a record { ... }",
  record: "a record { ... }",
  null: "null",
};

/** `sigmaVoxels`, `tiltRangeDegrees[0]`, `geometry.tiltAxis`. */
export function dotted(path: ValuePath): string {
  return path.map((key, index) => typeof key === "number" ? `[${key}]` : index === 0 ? key : `.${key}`).join("");
}

/** A value in at most 60 characters. */
export function quote(value: unknown): string {
  const text = value === undefined ? "missing" : JSON.stringify(value) ?? String(value);
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`;
}

/** A description as the tail of a sentence: no full stop, and a small first letter unless it begins an abbreviation. */
function inSentence(description: string): string {
  const plain = description.replace(/\.$/, "");
  return /^[A-Z][a-z ]/.test(plain) ? plain[0].toLowerCase() + plain.slice(1) : plain;
}

function valueAt(value: unknown, path: ValuePath): unknown {
  return path.reduce<unknown>(
    (at, key) =>
      typeof at === "object" && at !== null && Object.hasOwn(at, key) ? (at as Record<string | number, unknown>)[key] : undefined,
    value,
  );
}

function listed(values: readonly unknown[]): string {
  const texts = values.map((value) => JSON.stringify(value) ?? String(value));
  return texts.length === 1 ? texts[0] : `one of ${texts.join(", ")}`;
}

/** What one issue expects, without the value that was found; `null` when only zod's own message says it. */
function expectation(issue: Issue): string | null {
  const sized = (limit: unknown) =>
    issue.origin === "array" || issue.origin === "tuple"
      ? `${limit} ${limit === 1 ? "entry" : "entries"}`
      : issue.origin === "string"
      ? `${limit} ${limit === 1 ? "character" : "characters"}`
      : `${limit}`;
  switch (issue.code) {
    case "invalid_type":
      return typeWords[issue.expected ?? ""] ?? issue.expected ?? null;
    case "invalid_value":
      return listed(issue.values ?? []);
    case "too_small":
      return issue.exact ? sized(issue.minimum) : `${issue.inclusive ? "at least" : "more than"} ${sized(issue.minimum)}`;
    case "too_big":
      return issue.exact ? sized(issue.maximum) : `${issue.inclusive ? "at most" : "less than"} ${sized(issue.maximum)}`;
    case "not_multiple_of":
      return `a multiple of ${issue.divisor}`;
    case "invalid_union":
      return issue.options === undefined ? null : listed(issue.options);
    default:
      return null;
  }
}

const depth = (issues: readonly Issue[]) => Math.max(...issues.map((issue) => issue.path.length));

/** The issues that speak of what was meant: those of the union's branch that was followed furthest, or one that names every branch. */
function flatten(issue: Issue, base: readonly PropertyKey[]): Issue[] {
  const path = [...base, ...issue.path];
  if (issue.code !== "invalid_union" || issue.errors === undefined || issue.errors.length === 0) return [{ ...issue, path }];
  const branches = [...issue.errors].sort((a, b) => depth(b) - depth(a) || a.length - b.length);
  // The branch that takes this kind of value, and finds it only too small or one of its parts wrong, is the one that was meant.
  const unlike = (inner: Issue) => inner.path.length === 0 && (inner.code === "invalid_type" || inner.code === "invalid_value");
  const meant = branches.find((branch) => !branch.some(unlike));
  if (meant !== undefined) return meant.flatMap((inner) => flatten(inner, path));
  const expected = branches.map((branch) => expectation(branch[0]) ?? branch[0].message);
  return [{ code: "either", path, message: [...new Set(expected)].reverse().join(" or ") }];
}

/** How the values of a schema are spoken of. */
export interface Wording {
  /** What a value is called. */
  readonly noun: Noun;
  /** Who takes the values: `"dog" also takes`. */
  readonly owner: string;
  /** How many of a path's first keys a reader knows already. */
  readonly known?: (path: ValuePath) => number;
}

/** Says in words what zod found; `schema` gives the names that exist and the descriptions of options. */
export function issueTexts(issues: readonly unknown[], value: unknown, schema: OptionsSchema, wording: Wording): IssueText[] {
  const { noun, owner } = wording;
  const shown = (path: ValuePath) => dotted(path.slice(wording.known?.(path) ?? 0));
  return (issues as readonly Issue[]).flatMap((issue) => flatten(issue, [])).flatMap((issue): IssueText[] => {
    const path = issue.path.map((key) => typeof key === "symbol" ? String(key) : key);
    if (issue.code === "unrecognized_keys") {
      const taken = Object(valueAt(value, path));
      const names = keysAt(schema, path).filter((key) => !Object.hasOwn(taken, key));
      return (issue.keys ?? []).map((key) => ({
        path: [...path, key],
        onKey: true,
        code: `unknown-${noun}`,
        message: `unknown ${noun} "${shown([...path, key])}": ${suggestName(key, names, `${owner} also takes`)}`,
      }));
    }
    const found = valueAt(value, path);
    const { description, unit } = metaAt(schema, path);
    const about = description === undefined ? "" : `: ${inSentence(description)}${unit === undefined ? "" : ` (${unit})`}`;
    const name = shown(path) === "" ? `the ${noun === "option" ? "options" : "value"}` : `${noun} "${shown(path)}"`;
    if (found === undefined && path.length > 0) {
      return [{ path, onKey: false, code: `missing-${noun}`, message: `${name} is missing${about}` }];
    }
    const what = Array.isArray(found) && issue.origin === "array" ? `has ${found.length} entries` : `is ${quote(found)}`;
    const expected = issue.code === "either" ? issue.message : expectation(issue);
    if (expected === null) return [{ path, onKey: false, code: `bad-${noun}`, message: `${name} ${what}: ${issue.message}` }];
    const choices = (issue.values ?? issue.options ?? []).filter((choice) => typeof choice === "string");
    const near = typeof found === "string" ? nearestName(found, choices) : null;
    const meant = near === null ? about : `: did you mean "${near}"?`;
    return [{ path, onKey: false, code: `bad-${noun}`, message: `${name} ${what}, expected ${expected}${meant}` }];
  });
}
