/**
 * The options of a plugin as rows of words, for `describe` and the reference pages.
 * @module
 */
import type { OptionsSchema } from "./contract.ts";
import { keysAt, metaAt } from "./option_schema.ts";
import { type JsonSchema, toJsonSchema } from "./json_schema.ts";

/** One option. */
export interface OptionRow {
  /** `tiltAxis`, or `geometry.tiltAxis` inside a record. */
  readonly name: string;
  /** `number > 0`, `"dark" | "bright"`, `[number, number]`. */
  readonly type: string;
  /** JSON of the default; `required`; or empty when it may be left out. */
  readonly value: string;
  readonly unit: string;
  readonly description: string;
}

/** A JSON Schema as a reader would write the type. */
export function typeText(schema: JsonSchema): string {
  const branches = (schema.anyOf ?? schema.oneOf) as JsonSchema[] | undefined;
  if (branches !== undefined) return branches.map(typeText).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (Array.isArray(schema.enum)) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.type === "array") {
    if (Array.isArray(schema.items)) return `[${(schema.items as JsonSchema[]).map(typeText).join(", ")}]`;
    const inner = typeText(schema.items as JsonSchema ?? {});
    return inner.includes(" ") ? `(${inner})[]` : `${inner}[]`;
  }
  if (schema.type === "object") return `{ ${Object.keys(schema.properties ?? {}).join(", ") || "..."} }`;
  if (schema.type === "string" && typeof schema.format === "string") return schema.format;
  const limits = [
    schema.minimum === undefined ? "" : ` >= ${schema.minimum}`,
    schema.exclusiveMinimum === undefined ? "" : ` > ${schema.exclusiveMinimum}`,
    schema.maximum === undefined ? "" : ` <= ${schema.maximum}`,
    schema.exclusiveMaximum === undefined ? "" : ` < ${schema.exclusiveMaximum}`,
  ].filter((limit) => limit !== "");
  return `${schema.type ?? "any"}${limits.join(" and")}`;
}

/** The rows of a plugin's options, in the schema's order; records are followed one level down. */
export function optionRows(schema: OptionsSchema): OptionRow[] {
  const whole = toJsonSchema(schema);
  const required = (whole.required ?? []) as string[];
  return keysAt(schema, []).flatMap((name) => {
    const property = (whole.properties as Record<string, JsonSchema>)[name];
    const { description = "", unit = "" } = metaAt(schema, [name]);
    const value = property.default !== undefined ? JSON.stringify(property.default) : required.includes(name) ? "required" : "";
    const row = { name, type: typeText(property), value, unit, description };
    const inner = keysAt(schema, [name]).map((key) => {
      const meta = metaAt(schema, [name, key]);
      const child = (property.properties as Record<string, JsonSchema> | undefined)?.[key] ?? {};
      const fallback = child.default === undefined ? "" : JSON.stringify(child.default);
      return { name: `${name}.${key}`, type: typeText(child), value: fallback, unit: meta.unit ?? "", description: meta.description ?? "" };
    });
    return [row, ...inner];
  });
}
