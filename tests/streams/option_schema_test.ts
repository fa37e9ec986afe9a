import { strict as assert } from "node:assert";
import { z } from "zod";
import { formattedValues, isStrict, keysAt, mapFormatted, metaAt } from "../../streams/option_schema.ts";
import { optionRows } from "../../streams/option_table.ts";

const path = z.string().meta({ description: "A file", format: "path" });
const schema = z.strictObject({
  plain: z.string().default("stays").meta({ description: "Not a path" }),
  one: path,
  maybe: path.optional(),
  list: z.array(path).default([]),
  marked: z.array(z.string()).default([]).meta({ description: "Files", format: "path" }),
  choice: z.union([z.literal("none"), path]).default("none").meta({ description: "A file or none" }),
  inside: z.strictObject({
    map: path.nullable().default(null),
    size: z.int().min(1).max(9).default(3).meta({ description: "Size", unit: "voxels" }),
  })
    .prefault({}).meta({ description: "More" }),
  named: z.record(z.string(), path).default({}),
  pair: z.tuple([path, z.number()]).optional(),
  out: z.string().optional().meta({ description: "Written", format: "path", written: true }),
});
const absolute = (value: unknown) => mapFormatted(schema, value, "path", (found) => `/at/${found.value}`);

Deno.test("mapFormatted finds paths behind optional, default, nullable, union, lists, tuples and records, and nothing else", () => {
  const options = schema.parse({
    one: "a",
    maybe: "b",
    list: ["c", "d"],
    marked: ["e"],
    choice: "f",
    inside: { map: "g" },
    named: { x: "h" },
    pair: ["i", 1],
    out: "j",
  });
  assert.deepEqual(absolute(options), {
    plain: "stays",
    one: "/at/a",
    maybe: "/at/b",
    list: ["/at/c", "/at/d"],
    marked: ["/at/e"],
    choice: "/at/f",
    inside: { map: "/at/g", size: 3 },
    named: { x: "/at/h" },
    pair: ["/at/i", 1],
    out: "/at/j",
  });
});

Deno.test("a word that the schema names is not a path, and what is absent stays absent", () => {
  const options = schema.parse({ one: "a" });
  assert.deepEqual(absolute(options), { ...options, one: "/at/a" });
});

Deno.test("formattedValues gives each path with its place and whether it is written", () => {
  const found = formattedValues(schema, schema.parse({ one: "a", list: ["c"], out: "j" }), "path");
  assert.deepEqual(found, [
    { path: ["one"], value: "a", written: false },
    { path: ["list", 0], value: "c", written: false },
    { path: ["out"], value: "j", written: true },
  ]);
  assert.deepEqual(formattedValues(schema, schema.parse({ one: "a" }), "program"), []);
});

Deno.test("metadata is found whether it stands before or after the wrappers", () => {
  assert.deepEqual(metaAt(schema, ["maybe"]), { description: "A file", format: "path" });
  assert.equal(metaAt(schema, ["plain"]).description, "Not a path");
  assert.equal(metaAt(schema, ["inside", "size"]).unit, "voxels");
  assert.deepEqual(metaAt(schema, ["nowhere"]), {});
});

Deno.test("keysAt lists the keys of records and of every branch of a union; isStrict tells strict records from others", () => {
  const union = z.strictObject({ a: z.union([z.strictObject({ x: z.number() }), z.strictObject({ y: z.number() })]) });
  assert.deepEqual(keysAt(union, ["a"]), ["x", "y"]);
  assert.deepEqual(keysAt(schema, ["inside"]), ["map", "size"]);
  assert.deepEqual([isStrict(schema), isStrict(z.object({}))], [true, false]);
});

Deno.test("optionRows writes types as a reader would", () => {
  const rows = optionRows(z.strictObject({
    a: z.number().positive().meta({ description: "A", unit: "Angstrom" }),
    b: z.enum(["x", "y"]).default("x").meta({ description: "B" }),
    c: z.tuple([z.number(), z.number()]).optional().meta({ description: "C" }),
    d: z.array(z.union([z.int(), z.literal("auto")])).default(["auto"]).meta({ description: "D" }),
    e: path.meta({ description: "E", format: "path" }).optional(),
    f: z.strictObject({ g: z.int().min(0).max(4).default(2).meta({ description: "G" }) }).prefault({}).meta({ description: "F" }),
  }));
  assert.deepEqual(rows.map(({ name, type, value, unit }) => [name, type, value, unit].join("; ")), [
    "a; number > 0; required; Angstrom",
    'b; "x" | "y"; "x"; ',
    "c; [number, number]; ; ",
    'd; (integer | "auto")[]; ["auto"]; ',
    "e; path; ; ",
    "f; { g }; {}; ",
    "f.g; integer >= 0 and <= 4; 2; ",
  ]);
});
