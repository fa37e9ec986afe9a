/**
 * What a manifest saved by an earlier version says, told in the options of this one.
 * @module
 */
import type { z } from "zod";
import type { LoadedEntry, LoadedManifest } from "./loaded_manifest.ts";
import { isRecord } from "./manifest_entry.ts";
import { runShape, stageShape } from "./manifest_shape.ts";

/**
 * A resolved manifest that an earlier version saved, with the defaults of options that came since, wherever it names the same plugin as `manifest`.
 * What else differs is left as it is.
 */
export function completedManifest(saved: unknown, manifest: LoadedManifest): unknown {
  if (!isRecord(saved)) return saved;
  const filled = (schema: z.ZodObject, value: unknown): unknown => {
    if (!isRecord(value)) return value;
    const later = Object.entries(schema.shape).filter(([key]) => !Object.hasOwn(value, key)).map(([key, field]) =>
      [key, (field as z.ZodType).safeParse(undefined).data] as const
    );
    return { ...Object.fromEntries(later.filter(([, data]) => data !== undefined)), ...value };
  };
  const entry = (value: unknown, now: LoadedEntry | null | undefined, implied?: { use: string; options?: object } | null): unknown => {
    if (!now || !isRecord(value) || value.use !== now.use || !isRecord(value.options)) return value;
    const recipe = implied?.use === now.use ? implied.options : {};
    const options = filled(now.plugin.options, { ...recipe, ...value.options });
    return { ...value, options: now.plugin.expand?.(options) ?? options };
  };
  const list = (values: unknown, now: readonly LoadedEntry[]) =>
    Array.isArray(values) ? values.map((value, i) => entry(value, now[i])) : values;
  const { engine, source, stages, learn, classes, sinks } = manifest;
  const implied = learn?.plugin.partDefaults?.(learn.options) ?? {};
  const learnt = isRecord(saved.learn) && isRecord(saved.learn.parts)
    ? {
      ...entry(saved.learn, learn) as Record<string, unknown>,
      parts: Object.fromEntries(
        Object.entries(saved.learn.parts).map(([name, part]) => [name, entry(part, learn?.parts[name], implied[name])]),
      ),
    }
    : saved.learn;
  return {
    ...saved,
    engine: entry(saved.engine, engine),
    source: entry(saved.source, source),
    stages: Array.isArray(saved.stages)
      ? (list(saved.stages, stages) as unknown[]).map((stage) => filled(stageShape, stage))
      : saved.stages,
    ...(learnt === undefined ? {} : { learn: learnt }),
    classes: list(saved.classes, classes),
    sinks: list(saved.sinks, sinks),
    run: filled(runShape, saved.run),
  };
}
