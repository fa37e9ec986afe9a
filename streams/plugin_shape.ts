/**
 * What a plugin object must look like before the core uses it.
 * @module
 */
import type { AnyPlugin, Instances, Kind, Payload } from "./contract.ts";
import { suggestName } from "./nearest_name.ts";
import { isObjectSchema, isStrict } from "./option_schema.ts";

const kindRecord: Record<keyof Instances<Payload, Payload>, true> = {
  source: true,
  denoiser: true,
  picker: true,
  extractor: true,
  operator: true,
  learner: true,
  embedder: true,
  clusterer: true,
  matcher: true,
  scorer: true,
  refiner: true,
  decoder: true,
  aligner: true,
  sink: true,
  engine: true,
};
/** Every role a plugin can have. */
export const kinds: readonly Kind[] = Object.keys(kindRecord) as Kind[];
/** Roles of the plugins that may stand in `stages`. */
export const stageKinds: readonly Kind[] = ["denoiser", "picker", "extractor", "operator"];

const payloads: readonly Payload[] = ["tomogram", "picks", "subtomograms"];
const implied: Partial<Record<Kind, { readonly input: Payload; readonly output: Payload }>> = {
  denoiser: { input: "tomogram", output: "tomogram" },
  picker: { input: "tomogram", output: "picks" },
  extractor: { input: "picks", output: "subtomograms" },
};

/** What a source or stage takes and gives: as it says, or as its kind implies. */
export function payloadsOf(plugin: AnyPlugin): { input?: Payload; output?: Payload } {
  return { input: plugin.input ?? implied[plugin.kind as Kind]?.input, output: plugin.output ?? implied[plugin.kind as Kind]?.output };
}

const fields = [
  ...["apiVersion", "name", "kind", "summary", "input", "output", "options", "needs", "parts"],
  ...["check", "expand", "partDefaults", "scratchNeed", "survey", "create"],
];

/** Whether a word is a kebab-case plugin id: `gmm-bic`. */
export function isKebabCase(name: string): boolean {
  return /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name);
}

/**
 * Says what is wrong with the shape of a plugin object; an empty list when nothing is. Does not call any of its functions.
 */
export function pluginShapeFaults(value: unknown): string[] {
  if (typeof value !== "object" || value === null) {
    return [`is ${value === null ? "null" : typeof value}, expected the object that definePlugin returns`];
  }
  const plugin = value as Record<string, unknown>;
  const faults: string[] = [];
  for (const key of Object.keys(plugin)) {
    if (!fields.includes(key)) faults.push(`unknown field "${key}": ${suggestName(key, fields, "fields")}`);
  }
  if (plugin.apiVersion !== 1) faults.push(`apiVersion is ${JSON.stringify(plugin.apiVersion) ?? "missing"}, this tomosieve takes 1`);
  if (typeof plugin.name !== "string" || !isKebabCase(plugin.name)) {
    faults.push(`name is ${JSON.stringify(plugin.name) ?? "missing"}, expected a kebab-case noun such as "gmm-bic"`);
  }
  if (!kinds.includes(plugin.kind as Kind)) {
    faults.push(`kind is ${JSON.stringify(plugin.kind) ?? "missing"}, expected one of ${kinds.join(", ")}`);
  }
  if (typeof plugin.summary !== "string" || plugin.summary.trim() === "") faults.push("summary is missing: say in one line what it does");
  if (!Object.isFrozen(plugin)) faults.push("is not frozen: make it with definePlugin");
  for (const name of ["create", "check", "expand", "partDefaults", "scratchNeed", "survey"]) {
    if (typeof plugin[name] !== "function" && (name === "create" || plugin[name] !== undefined)) faults.push(`${name} is not a function`);
  }
  for (const name of ["input", "output"]) {
    if (plugin[name] !== undefined && !payloads.includes(plugin[name] as Payload)) {
      faults.push(`${name} is ${JSON.stringify(plugin[name])}, expected one of ${payloads.join(", ")}`);
    }
  }
  if (!isObjectSchema(plugin.options)) faults.push("options is not a zod 4 object schema: use z.strictObject({ ... })");
  else if (!isStrict(plugin.options)) faults.push("options lets unknown keys pass: use z.strictObject({ ... })");
  faults.push(...payloadFaults(plugin as unknown as AnyPlugin), ...partFaults(plugin));
  if (plugin.kind === "source" && isObjectSchema(plugin.options) && "truth" in plugin.options.shape) {
    faults.push('options has "truth": that key belongs to the core, and the truth never reaches a plugin');
  }
  return faults;
}

function payloadFaults(plugin: AnyPlugin): string[] {
  const kind = plugin.kind as Kind;
  const { input, output } = payloadsOf(plugin);
  if (kind === "source") return output === undefined ? ["output is missing: say what the source gives (tomogram or subtomograms)"] : [];
  if (!stageKinds.includes(kind)) return [];
  const must = implied[kind];
  if (input === undefined || output === undefined) return ["input or output is missing: say what the stage takes and gives"];
  if (must !== undefined && (input !== must.input || output !== must.output)) {
    return [`a ${kind} takes ${must.input} and gives ${must.output}; this one takes ${input} and gives ${output}: make it an operator`];
  }
  return [];
}

function partFaults(plugin: Record<string, unknown>): string[] {
  if (plugin.parts === undefined) return plugin.partDefaults === undefined ? [] : ["has partDefaults but no parts"];
  if (plugin.kind !== "learner") return ["has parts, which only a learner may have"];
  return Object.entries(plugin.parts as Record<string, { kinds?: unknown; summary?: unknown }>).flatMap(([name, part]) => {
    const valid = Array.isArray(part?.kinds) && part.kinds.length > 0 && part.kinds.every((kind) => kinds.includes(kind));
    return valid ? [] : [`parts.${name}.kinds is ${JSON.stringify(part?.kinds) ?? "missing"}, expected a list of kinds`];
  });
}
