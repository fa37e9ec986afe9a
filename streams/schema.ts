/**
 * Makes pipeline.schema.json, which editors read: the manifest's shape, with the options of every built-in plugin behind its `use`.
 *
 * `deno task schema` writes the file, `deno task schema --check` only looks whether it is current.
 * @module
 */
import type { AnyPlugin, Kind, OptionsSchema } from "./contract.ts";
import { type JsonSchema, toJsonSchema } from "./json_schema.ts";
import { entryShape, learnShape, manifestShape, namedEntryShape, stageShape } from "./manifest_shape.ts";
import { stageKinds } from "./plugin_shape.ts";
import { type BuiltIns, loadBuiltIns } from "./registry.ts";

/** Text of a `use` that names code of the user's own. */
const FOREIGN = "^(\\.{0,2}/|npm:|file:|[A-Za-z]:)";

/** Options of a plugin as the manifest has them: a source's with the `truth` that belongs to the core. */
function optionsSchema(plugin: AnyPlugin): JsonSchema {
  const schema = toJsonSchema(plugin.options);
  if (plugin.kind !== "source") return schema;
  const truth = { type: "string", description: "CSV with the true labels, for the score and the report only", format: "path" };
  return { ...schema, properties: { ...schema.properties as JsonSchema, truth } };
}

/** An entry of the manifest whose `use` is one of `plugins` or a plugin of the user's own. */
function entrySchema(shape: OptionsSchema, plugins: readonly AnyPlugin[]): JsonSchema {
  const schema = toJsonSchema(shape);
  const properties = schema.properties as Record<string, JsonSchema>;
  const { description } = properties.use;
  const choices = plugins.map((plugin) => ({ const: plugin.name, description: plugin.summary }));
  const use = { description, anyOf: [...choices, { type: "string", pattern: FOREIGN, description: "A plugin of your own" }] };
  const rules = plugins.map((plugin) => {
    const then: JsonSchema = { properties: { options: { $ref: `#/definitions/${plugin.name}` } } };
    if ((toJsonSchema(plugin.options).required as string[] | undefined)?.length) then.required = ["options"];
    return { if: { properties: { use: { const: plugin.name } }, required: ["use"] }, then };
  });
  return { ...schema, properties: { ...properties, use }, ...(rules.length > 0 ? { allOf: rules } : {}) };
}

/** The learner's entry, with the parts of each learner behind its `use`. */
function learnSchema(plugins: readonly AnyPlugin[]): JsonSchema {
  const learners = plugins.filter((plugin) => plugin.kind === "learner");
  const schema = entrySchema(learnShape, learners);
  const rules = learners.map((learner) => {
    const slots = Object.entries(learner.parts ?? {} as NonNullable<AnyPlugin["parts"]>).map(([name, slot]) => {
      const part = entrySchema(entryShape, plugins.filter((plugin) => slot.kinds.includes(plugin.kind)));
      return [name, { description: slot.summary, ...(slot.optional ? { anyOf: [{ type: "null" }, part] } : part) }] as const;
    });
    const required = Object.entries(learner.parts ?? {} as NonNullable<AnyPlugin["parts"]>)
      .filter(([, slot]) => slot.default === undefined && !slot.optional && learner.partDefaults === undefined).map(([name]) => name);
    const parts = {
      type: "object",
      properties: Object.fromEntries(slots),
      ...(required.length > 0 ? { required } : {}),
      additionalProperties: false,
    };
    const then = { properties: { parts }, ...(required.length > 0 ? { required: ["parts"] } : {}) };
    return { if: { properties: { use: { const: learner.name } }, required: ["use"] }, then };
  });
  return { ...schema, allOf: [...(schema.allOf as JsonSchema[] | undefined ?? []), ...rules] };
}

/** Makes the schema of a manifest (draft 7) with every built-in plugin's options. Loads all built-ins. */
export async function makeSchema(builtIns?: BuiltIns): Promise<JsonSchema> {
  const plugins = await loadBuiltIns(builtIns);
  const of = (...kinds: readonly Kind[]) => plugins.filter((plugin) => kinds.includes(plugin.kind));
  const schema = toJsonSchema(manifestShape);
  const properties = schema.properties as Record<string, JsonSchema>;
  const list = (key: string, items: JsonSchema) => ({ ...properties[key], items });
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "A tomosieve pipeline",
    ...schema,
    properties: {
      ...properties,
      engine: { description: properties.engine.description, ...entrySchema(entryShape, of("engine")) },
      source: { description: properties.source.description, ...entrySchema(entryShape, of("source")) },
      stages: list("stages", entrySchema(stageShape, of(...stageKinds))),
      learn: { description: properties.learn.description, ...learnSchema(plugins) },
      classes: list("classes", entrySchema(namedEntryShape, of("decoder", "aligner"))),
      sinks: list("sinks", entrySchema(namedEntryShape, of("sink"))),
    },
    definitions: Object.fromEntries(plugins.map((plugin) => [plugin.name, { description: plugin.summary, ...optionsSchema(plugin) }])),
  };
}

/** The text of pipeline.schema.json. */
export async function schemaText(builtIns?: BuiltIns): Promise<string> {
  return `${JSON.stringify(await makeSchema(builtIns), null, 2)}\n`;
}

if (import.meta.main) {
  const file = new URL("./pipeline.schema.json", import.meta.url);
  const text = await schemaText();
  if (!Deno.args.includes("--check")) await Deno.writeTextFile(file, text);
  else if (await Deno.readTextFile(file) !== text) {
    console.error("streams/pipeline.schema.json is not current: run `deno task schema`");
    Deno.exit(1);
  }
}
