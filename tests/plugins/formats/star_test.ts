import assert from "node:assert/strict";
import fc from "fast-check";
import { realFiles } from "./reading.ts";
import {
  columnOf,
  findBlock,
  formatStar,
  loopOf,
  makeLoop,
  numbersOf,
  parseStar,
  type StarFile,
  type StarItem,
} from "../../../plugins/formats/star.ts";
import { InputError } from "../../../streams/errors.ts";

const RELION = `
# version 30001

data_optics

loop_
_rlnOpticsGroup #1
_rlnOpticsGroupName #2
_rlnImagePixelSize #3
1 opticsGroup1 13.480000


# version 30001

data_particles

loop_
_rlnImageName #1
_rlnCoordinateX #2
_strange #3
data_x/a.mrc  12.5 "two words"
   b.mrc     -3e1 ''

`;

Deno.test("parseStar() reads blocks, loops, numbers and quoted values of a RELION 3.1 file", () => {
  const star = parseStar(RELION, "a.star");
  assert.deepEqual(star.blocks.map((block) => block.name), ["optics", "particles"]);
  const particles = loopOf(findBlock(star, "particles")!);
  assert.deepEqual(columnOf(particles, "strange"), ["two words", ""]);
  assert.deepEqual(columnOf(particles, "rlnImageName"), ["data_x/a.mrc", "b.mrc"]);
  assert.deepEqual(numbersOf(particles, "rlnCoordinateX", "a.star"), Float64Array.of(12.5, -30));
  assert.equal(columnOf(particles, "none"), undefined);
  assert.throws(() => numbersOf(particles, "none", "a.star"), /a\.star: no column _none: found _rlnImageName, _rlnCoordinateX, _strange/);
  assert.throws(() => numbersOf(particles, "strange", "a.star"), /_strange in row 1 is "two words", expected a number/);
});

Deno.test("a block of pairs reads as a loop of one row", () => {
  const star = parseStar("data_general\n_rlnA 1 # why\n_rlnB\n'a b'\n_rlnC\n;two\nlines\n;\n", "a.star");
  assert.deepEqual(loopOf(star.blocks[0]), { kind: "loop", columns: ["rlnA", "rlnB", "rlnC"], rows: [["1", "a b", "two\nlines"]] });
  assert.deepEqual(star.blocks[0].items[0], { kind: "pair", key: "rlnA", value: "1", comment: "why" });
});

Deno.test("rows may span lines or share one, when they end with a line", () => {
  const loop = (body: string) => loopOf(parseStar(`data_\nloop_\n_a\n_b\n_c\n${body}\n`, "a.star").blocks[0]).rows;
  assert.deepEqual(loop("1 2\n3\n4 5 6"), [["1", "2", "3"], ["4", "5", "6"]]);
  assert.deepEqual(loop("1 2 3 4 5 6"), [["1", "2", "3"], ["4", "5", "6"]]);
});

Deno.test("windows line ends, a byte-order mark and an empty loop are read", () => {
  const star = parseStar("\ufeffdata_\r\nloop_\r\n_a #1\r\n_b #2\r\n\r\ndata_next\r\n_c 1\r\n", "a.star");
  assert.deepEqual(star.blocks.map(loopOf).map(({ columns, rows }) => [columns, rows]), [[["a", "b"], []], [["c"], [["1"]]]]);
});

for (
  const [text, message] of [
    ["", /line 1: no data_ block: is this a STAR file\?/],
    ["hello world\n", /line 1: unexpected "hello"/],
    ["_a 1\ndata_\n", /line 1: something stands before the first data_ block/],
    ["data_\n_a 1 2\n", /line 2: _a has 2 values, expected one/],
    ["data_\n_a\n", /line 2: _a has no value/],
    ["data_\nloop_\n_a\n_b\n1 2\n3\n", /line 6: the loop ends with 1 of the 2 values of a row/],
    ["data_\nloop_\n_a\n_b\n1 2\n3\n4 5\n", /line 6: 2 values, the loop has 2 columns/],
    ["data_\nloop_\n_a\n_a\n1 2\n", /line 4: column _a stands twice/],
    ["data_\nloop_\n1 2\n", /line 3: values after loop_ without columns/],
    ["data_\n_a 'open\n", /line 2: the quote ' at column 4 is never closed/],
    ["data_\n_a\n;open\n", /line 3: the text that begins with ; is never closed/],
  ] as const
) {
  Deno.test(`parseStar() says what is wrong with ${JSON.stringify(text)}`, () => {
    assert.throws(() => parseStar(text, "a.star"), (error: Error) => {
      assert.ok(error instanceof InputError);
      assert.match(error.message, message);
      return true;
    });
  });
}

Deno.test("formatStar() numbers and aligns columns as RELION does", () => {
  const file: StarFile = {
    preamble: [{ kind: "comment", text: "version 30001" }],
    blocks: [{ name: "particles", items: [makeLoop({ rlnImageName: ["a.mrc", "long.mrc"], rlnCoordinateX: [1, 123.4567891] })] }],
  };
  assert.equal(
    formatStar(file),
    "# version 30001\n\ndata_particles\n\nloop_\n_rlnImageName #1\n_rlnCoordinateX #2\n   a.mrc        1\nlong.mrc 123.4568\n\n\n",
  );
});

/** Text that trips a reader up: blanks, quotes, syntax, line breaks. */
const value = fc.oneof(
  fc.string(),
  fc.constantFrom(
    "",
    " ",
    "data_",
    "data_a",
    "loop_",
    "_x",
    "#",
    "a#b",
    "'",
    '"',
    `'" x`,
    ";",
    ";\n;",
    "it's",
    "a\nb",
    "1.5",
    "stop_",
    "\t",
    `" '`,
  ),
).filter((text) => !/\r|\u2028|\u2029|\ufeff/.test(text) && !/\n;/.test(text));
const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_.]{0,8}$/);

Deno.test("what formatStar() writes, parseStar() reads back: any values, blocks and pairs", () => {
  const pair = fc.record({ kind: fc.constant("pair" as const), key: name, value }, { noNullPrototype: true });
  const loop = fc.integer({ min: 1, max: 4 }).chain((width) =>
    fc.record({
      kind: fc.constant("loop" as const),
      columns: fc.uniqueArray(name, { minLength: width, maxLength: width }),
      rows: fc.array(fc.array(value, { minLength: width, maxLength: width }), { minLength: 1, maxLength: 4 }),
    }, { noNullPrototype: true })
  );
  const block = fc.record({ name: name, items: fc.array(fc.oneof(pair, loop) as fc.Arbitrary<StarItem>, { maxLength: 4 }) }, {
    noNullPrototype: true,
  });
  fc.assert(
    fc.property(fc.array(block, { minLength: 1, maxLength: 3 }), (blocks) => {
      const file: StarFile = { preamble: [{ kind: "comment", text: "made by a test" }], blocks };
      assert.deepEqual(parseStar(formatStar(file), "a.star"), file);
    }),
    { numRuns: 300, seed: 3 },
  );
});

Deno.test("real STAR files of RELION 3.0 to 4, STOPGAP and TomoMan survive a round trip", () => {
  const folders = [realFiles("star"), realFiles("picks/portal")];
  for (const folder of folders) {
    if (folder === null) continue;
    const files = [...Deno.readDirSync(folder)].map((entry) => entry.name).filter((file) => file.endsWith(".star"));
    assert.ok(files.length > 0);
    for (const file of files) {
      const text = Deno.readTextFileSync(folder + file);
      const star = parseStar(text, file);
      assert.deepEqual(parseStar(formatStar(star), file), star, file);
      // Every word of the file is somewhere in what was read.
      const words = (source: string) => new Set(source.match(/[A-Za-z0-9./@-]+/g));
      const kept = words(formatStar(star));
      const lost = [...words(text.replaceAll(/#\s*\d+/g, ""))].filter((word) => !kept.has(word));
      assert.deepEqual(lost, [], file);
    }
  }
});
