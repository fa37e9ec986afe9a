/**
 * Reads a manifest's text (JSON, JSONC or YAML) and remembers where each value stands.
 * @module
 */
import { type Node as JsonNode, type ParseError, parseTree, printParseErrorCode } from "jsonc-parser";
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node as YamlNode, parseDocument } from "yaml";

/** Keys and indices that lead to a value: `["stages", 1, "options"]`. */
export type ValuePath = readonly (string | number)[];
/** A place in a text; both count from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}
/** A fault in the text itself. */
export interface TextFault {
  readonly place: Place;
  readonly code: "syntax" | "duplicate-key";
  readonly message: string;
}
/** A manifest's text as a value, with the place of every part of it. */
export interface LocatedText {
  /** `undefined` when the text has a fault that leaves no value. */
  readonly value: unknown;
  readonly faults: readonly TextFault[];
  /** Place of the value at `path` (`onKey`: of its key); of its nearest ancestor when it does not exist. */
  place(path: ValuePath, onKey?: boolean): Place;
}

interface Offsets {
  readonly value: number;
  readonly key?: number;
}
const pathKey = (path: ValuePath) => JSON.stringify(path);

/** Sets an own property even when its name is `__proto__`. */
function setOwn(record: object, key: string, value: unknown): void {
  Object.defineProperty(record, key, { value, enumerable: true, configurable: true, writable: true });
}

function lineStarts(text: string): (offset: number) => Place {
  const starts = [0];
  for (let i = 0; i < text.length; i++) if (text[i] === "\n") starts.push(i + 1);
  return (offset) => {
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle] <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - starts[low] + 1 };
  };
}

function located(
  value: unknown,
  faults: readonly TextFault[],
  offsets: ReadonlyMap<string, Offsets>,
  placeOf: (offset: number) => Place,
): LocatedText {
  return {
    value,
    faults,
    place(path, onKey = false) {
      for (let length = path.length; length >= 0; length--) {
        const found = offsets.get(pathKey(path.slice(0, length)));
        if (found !== undefined) return placeOf(onKey && length === path.length ? found.key ?? found.value : found.value);
      }
      return { line: 1, column: 1 };
    },
  };
}

const spaced = (code: string) => code.replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();

function locateJson(text: string): LocatedText {
  const placeOf = lineStarts(text);
  const errors: ParseError[] = [];
  const root = parseTree(text, errors, { allowTrailingComma: true, disallowComments: false });
  const faults: TextFault[] = errors.map((error) => ({
    place: placeOf(error.offset),
    code: "syntax",
    message: `not valid JSON: ${spaced(printParseErrorCode(error.error))}`,
  }));
  const offsets = new Map<string, Offsets>();
  const walk = (node: JsonNode, path: ValuePath, key?: number): unknown => {
    offsets.set(pathKey(path), { value: node.offset, key });
    if (node.type === "array") return (node.children ?? []).map((child, index) => walk(child, [...path, index]));
    if (node.type !== "object") return node.value;
    const record = {};
    for (const property of node.children ?? []) {
      const [name, child] = property.children ?? [];
      if (name === undefined || child === undefined) continue;
      if (Object.hasOwn(record, name.value)) {
        faults.push({ place: placeOf(name.offset), code: "duplicate-key", message: `"${name.value}" stands here twice: keep one of them` });
      }
      setOwn(record, name.value, walk(child, [...path, name.value], name.offset));
    }
    return record;
  };
  const value = root === undefined ? undefined : walk(root, []);
  return located(value, faults, offsets, placeOf);
}

function locateYaml(text: string): LocatedText {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false });
  const placeOf = (offset: number): Place => {
    const { line, col } = lineCounter.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const faults: TextFault[] = document.errors.map((error) => ({
    place: placeOf(error.pos[0]),
    code: error.code === "DUPLICATE_KEY" ? "duplicate-key" : "syntax",
    message: error.code === "DUPLICATE_KEY" ? "this key stands here twice: keep one of them" : `not valid YAML: ${error.message}`,
  }));
  const offsets = new Map<string, Offsets>();
  const walk = (node: YamlNode | null, path: ValuePath, key?: number): void => {
    if (node === null || node === undefined) return;
    offsets.set(pathKey(path), { value: node.range?.[0] ?? 0, key });
    const target = isAlias(node) ? node.resolve(document) : node;
    if (isSeq(target)) target.items.forEach((item, index) => walk(item as YamlNode, [...path, index]));
    if (isMap(target)) {
      for (const pair of target.items) {
        const name = isScalar(pair.key) ? String(pair.key.value) : String(pair.key);
        walk(pair.value as YamlNode | null, [...path, name], isScalar(pair.key) ? pair.key.range?.[0] : undefined);
      }
    }
  };
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 100 });
    JSON.stringify(value); // An alias inside its own anchor makes a circle, which ends here.
    walk(document.contents as YamlNode | null, []);
  } catch (error) {
    faults.push({ place: placeOf(0), code: "syntax", message: `not valid YAML: ${error instanceof Error ? error.message : error}` });
  }
  return located(value ?? undefined, faults, offsets, placeOf);
}

/**
 * Reads a manifest's text. A name that ends in `.yaml` or `.yml` is YAML; anything else is JSON, in which comments and trailing commas
 * are allowed.
 */
export function locate(text: string, fileName: string): LocatedText {
  const plain = text.startsWith("\uFEFF") ? text.slice(1) : text;
  if (plain.trim() === "") {
    const place = { line: 1, column: 1 };
    return located(undefined, [{ place, code: "syntax", message: "the file is empty" }], new Map(), () => place);
  }
  return /\.ya?ml$/i.test(fileName) ? locateYaml(plain) : locateJson(plain);
}
