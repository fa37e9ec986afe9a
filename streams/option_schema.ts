/**
 * Reads zod option schemas: what lies at a path, its description, and which values are paths or programs. Works on any copy of zod 4,
 * because a plugin from npm brings its own.
 * @module
 */
import type { OptionsSchema } from "./contract.ts";
import type { ValuePath } from "./locate.ts";

/** What an option's `.meta()` may hold. */
export interface OptionMeta {
  readonly description?: string;
  readonly unit?: string;
  /** `path`: made absolute by the core. `program`: a program that `--allow-command` must name. */
  readonly format?: string;
  /** A path that the plugin writes, so that it need not exist. */
  readonly written?: boolean;
}

/** As much of a zod 4 schema as is looked at. */
interface SchemaNode {
  readonly _zod: {
    readonly def: {
      readonly type: string;
      readonly shape?: Readonly<Record<string, SchemaNode>>;
      readonly innerType?: SchemaNode;
      readonly element?: SchemaNode;
      readonly items?: readonly SchemaNode[];
      readonly rest?: SchemaNode | null;
      readonly options?: readonly SchemaNode[];
      readonly valueType?: SchemaNode;
      readonly in?: SchemaNode;
      readonly catchall?: SchemaNode;
      readonly entries?: Readonly<Record<string, string | number>>;
      readonly values?: readonly unknown[];
    };
  };
  meta?(): OptionMeta | undefined;
}

const asNode = (schema: OptionsSchema): SchemaNode => schema as unknown as SchemaNode;
const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);

/** Whether `value` is an object schema of zod 4, made by whichever copy of zod. */
export function isObjectSchema(value: unknown): value is OptionsSchema {
  return (value as SchemaNode | undefined)?._zod?.def?.type === "object";
}

/** Whether an object schema refuses unknown keys (`z.strictObject`). */
export function isStrict(schema: OptionsSchema): boolean {
  return asNode(schema)._zod.def.catchall?._zod.def.type === "never";
}

/** The schema inside `default`, `optional`, `nullable`, `prefault`, `readonly`, `catch` and the input side of a pipe. */
function unwrap(node: SchemaNode): SchemaNode {
  for (let at = node;;) {
    const inner = at._zod.def.innerType ?? at._zod.def.in;
    if (inner === undefined) return at;
    at = inner;
  }
}

/** The metadata of a schema and of everything it wraps, the outermost first. */
function metaOf(node: SchemaNode): OptionMeta {
  let meta: OptionMeta = {};
  for (let at: SchemaNode | undefined = node; at !== undefined; at = at._zod.def.innerType ?? at._zod.def.in) {
    meta = { ...at.meta?.(), ...meta };
  }
  return meta;
}

function childrenAt(node: SchemaNode, key: string | number): SchemaNode[] {
  const { def } = unwrap(node)._zod;
  if (def.options !== undefined) return def.options.flatMap((option) => childrenAt(option, key));
  if (def.shape !== undefined) return Object.hasOwn(def.shape, key) ? [def.shape[key]] : [];
  if (def.items !== undefined && typeof key === "number") {
    return [def.items[key] ?? def.rest].filter((item) => item !== undefined && item !== null);
  }
  const inner = def.element ?? def.valueType;
  return inner === undefined ? [] : [inner];
}

function nodesAt(schema: OptionsSchema, path: ValuePath): SchemaNode[] {
  let nodes = [asNode(schema)];
  for (const key of path) nodes = nodes.flatMap((node) => childrenAt(node, key));
  return nodes;
}

/** Keys of the object at `path`; of every branch where there are several. */
export function keysAt(schema: OptionsSchema, path: ValuePath): string[] {
  const keys = new Set<string>();
  const collect = (node: SchemaNode): void => {
    const { def } = unwrap(node)._zod;
    Object.keys(def.shape ?? {}).forEach((key) => keys.add(key));
    def.options?.forEach(collect);
  };
  nodesAt(schema, path).forEach(collect);
  return [...keys];
}

/** Description and unit of the option at `path`, empty when it has none. */
export function metaAt(schema: OptionsSchema, path: ValuePath): OptionMeta {
  return nodesAt(schema, path).map(metaOf).find((meta) => meta.description !== undefined) ?? {};
}

/** A value of an options record that has a `format` of its own. */
export interface FormattedValue {
  readonly path: ValuePath;
  readonly value: string;
  readonly written: boolean;
}

const literal = (node: SchemaNode, value: string): boolean => {
  const { def } = unwrap(node)._zod;
  return def.values?.includes(value) === true || Object.values(def.entries ?? {}).includes(value);
};

/** Calls `visit` for every string whose schema says `format`; what it returns takes the string's place in the copy that is returned. */
export function mapFormatted(
  schema: OptionsSchema,
  options: unknown,
  format: "path" | "program",
  visit: (found: FormattedValue) => string,
): unknown {
  const walk = (nodes: readonly SchemaNode[], value: unknown, path: ValuePath, inherited: boolean): unknown => {
    const flat = nodes.flatMap(function branches(node): SchemaNode[] {
      const { def } = unwrap(node)._zod;
      return def.options === undefined ? [node] : [node, ...def.options.flatMap(branches)];
    });
    const metas = flat.map(metaOf);
    const marked = inherited || metas.some((meta) => meta.format === format);
    if (typeof value === "string") {
      // In a union of "none" and a path, "none" is not a path.
      if (!marked || flat.some((node) => literal(node, value))) return value;
      return visit({ path, value, written: metas.some((meta) => meta.written === true) });
    }
    if (Array.isArray(value)) {
      return value.map((item, index) => walk(flat.flatMap((node) => childrenAt(node, index)), item, [...path, index], marked));
    }
    if (!isRecord(value)) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, walk(flat.flatMap((node) => childrenAt(node, key)), item, [...path, key], false)]),
    );
  };
  return walk([asNode(schema)], options, [], false);
}

/** Every string of `options` whose schema says `format`. */
export function formattedValues(schema: OptionsSchema, options: unknown, format: "path" | "program"): FormattedValue[] {
  const found: FormattedValue[] = [];
  mapFormatted(schema, options, format, (value) => {
    found.push(value);
    return value.value;
  });
  return found;
}
