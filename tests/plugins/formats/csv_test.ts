import assert from "node:assert/strict";
import fc from "fast-check";
import { realFiles } from "./reading.ts";
import { csvColumn, formatCsv, parseCsv } from "../../../plugins/formats/csv.ts";
import { InputError } from "../../../streams/errors.ts";

Deno.test("parseCsv() finds comma, semicolon, tab and bar, and whether the first line holds names", () => {
  for (const delimiter of [",", ";", "\t", "|"]) {
    const table = parseCsv(["x,y,z", "1,2,3", "4,5.5,-6"].join("\n").replaceAll(",", delimiter), "a.csv");
    assert.deepEqual([table.delimiter, table.header, table.rows], [delimiter, ["x", "y", "z"], [["1", "2", "3"], ["4", "5.5", "-6"]]]);
  }
  assert.equal(parseCsv("tomo_1,1,2,3\n", "a.csv").header, null);
  assert.deepEqual(parseCsv("ribosome\nother\n", "a.csv", { header: false }).rows, [["ribosome"], ["other"]]);
});

Deno.test("parseCsv() reads quoted fields, a byte-order mark, Windows line ends, blank lines and comments", () => {
  const table = parseCsv('\ufeffname,note\r\n# aside\r\n\r\n"a, b" , "say ""hi"""\r\nc,"two\nlines"\r\nd,\r\n', "a.csv");
  assert.deepEqual(table.header, ["name", "note"]);
  assert.deepEqual(table.rows, [["a, b", 'say "hi"'], ["c", "two\nlines"], ["d", ""]]);
  assert.deepEqual(table.lines, [4, 5, 7]);
});

Deno.test("csvColumn() takes any of its names in any case, and lists what there is", () => {
  const table = parseCsv("Tomogram,X\na,1\n", "a.csv");
  assert.deepEqual(csvColumn(table, ["tomogram", "id"], "a.csv"), ["a"]);
  assert.throws(() => csvColumn(table, ["y", "rlnCoordinateY"], "a.csv"), /a\.csv: no column "y" or "rlnCoordinateY": found Tomogram, X/);
});

for (
  const [text, message] of [
    ["a,b\n1,2,3\n", /line 2: 3 fields, the first row has 2/],
    ['a,b\n1,"2\n', /line 2: a quote is never closed/],
    ['a,b\n"1" 2,3\n', /line 2: unexpected "2" after a closing quote/],
  ] as const
) {
  Deno.test(`parseCsv() says what is wrong with ${JSON.stringify(text)}`, () => {
    assert.throws(() => parseCsv(text, "a.csv"), (error: Error) => error instanceof InputError && message.test(error.message));
  });
}

Deno.test("what formatCsv() writes, parseCsv() reads back: any text, any delimiter", () => {
  const text = fc.oneof(fc.string(), fc.constantFrom("", " ", '"', "a,b", "#", "a\nb", "\t", ";", '"a"')).filter((value) =>
    !/\ufeff/.test(value)
  );
  const table = fc.integer({ min: 1, max: 4 }).chain((width) =>
    fc.array(fc.array(text, { minLength: width, maxLength: width }), { minLength: 1, maxLength: 5 })
  );
  fc.assert(
    fc.property(table, fc.constantFrom(",", ";", "\t", "|"), (rows, delimiter) => {
      const columns = Object.fromEntries(rows[0].map((_, j) => [`column ${j}`, rows.map((row) => row[j])]));
      const back = parseCsv(formatCsv(columns, delimiter), "a.csv", { delimiter, header: true });
      assert.deepEqual(back.rows, rows);
      assert.deepEqual(back.header, Object.keys(columns));
    }),
    { numRuns: 300, seed: 4 },
  );
});

Deno.test("formatCsv() writes numbers without loss and NaN as an empty field", () => {
  assert.equal(formatCsv({ a: [0.1 + 0.2, NaN], b: ["x", "y,z"] }), 'a,b\n0.30000000000000004,x\n,"y,z"\n');
});

Deno.test("real CSV files of the CryoET Data Portal are read in all their dialects", () => {
  const folder = realFiles("picks/portal");
  if (folder === null) return;
  const read = (name: string) => parseCsv(Deno.readTextFileSync(folder + name), name);
  const points = [["1", "2", "3"], ["2", "2", "2"], ["0", "3", "0"]];
  for (const name of ["points", "points_tab_delim", "points_with_header", "points_with_header_pipe_delim"]) {
    const table = read(`20002__annotations__${name}.csv`);
    assert.deepEqual(table.rows, points, name);
    assert.deepEqual(table.header, name.includes("header") ? ["x", "y", "z"] : null);
  }
  assert.deepEqual(read("20002__annotations__tardis.csv").header, ["IDs", "X [A]", "Y [A]", "Z [A]"]);
});
