/**
 * JSON Schemas of zod schemas.
 * @module
 */
import { z } from "zod";
import type { OptionsSchema } from "./contract.ts";

/** A JSON Schema, draft 7. */
export type JsonSchema = Record<string, unknown>;

/** The JSON Schema (draft 7) of what may be written for a zod schema; what JSON cannot say is left open. */
export function toJsonSchema(schema: OptionsSchema): JsonSchema {
  const made = z.toJSONSchema(schema, {
    target: "draft-7",
    io: "input",
    unrepresentable: "any",
    override: ({ jsonSchema }) => {
      // zod says that whole numbers are safe integers: true, and of no use to a reader.
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
    },
  }) as JsonSchema;
  delete made.$schema;
  return made;
}
