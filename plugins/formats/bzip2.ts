/**
 * bzip2, decompressed as a stream: one block of at most 900,000 symbols in memory at a time.
 *
 * A file is one or more streams ("BZh1" to "BZh9"), each a number of blocks and a checksum of their checksums. A block undoes, in order:
 * Huffman codes in groups of 50 symbols, runs of zeros and move-to-front, the Burrows-Wheeler transform, and runs of 4 to 255 + 4 equal bytes.
 * @see J. Seward, bzip2 and libbzip2; Burrows & Wheeler 1994, SRC Research Report 124
 * @module
 */

/** The file is no bzip2 file, ends early, or was damaged; the message says which. */
export class Bzip2Error extends Error {
  override readonly name = "Bzip2Error";
}

const BLOCK_MAGIC = 0x314159265359, END_MAGIC = 0x177245385090;
const GROUP_SYMBOLS = 50, MOST_BITS = 20, MOST_SELECTORS = 18002;
/** No block takes more: 900,000 symbols of 20 bits, their tables, and a header. */
const MOST_BLOCK_BYTES = 2_400_000;
const PIECE_BYTES = 1 << 18;

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 24;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x80000000 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
  return crc;
});

/** Bits of what has arrived, the highest of each byte first. */
class Bits {
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #buffer = 0;
  #held = 0;

  /** Bytes that have arrived and of which no bit was taken. */
  get left(): number {
    return this.#bytes.length - this.#at + (this.#held >> 3);
  }

  append(chunk: Uint8Array): void {
    // Bytes that were only looked at are looked at again: what stood for bytes beyond the end must not stay.
    this.#at -= this.#held >> 3;
    this.#buffer >>>= 8 * (this.#held >> 3);
    this.#held &= 7;
    const rest = this.#bytes.subarray(this.#at);
    const joined = new Uint8Array(rest.length + chunk.length);
    joined.set(rest);
    joined.set(chunk, rest.length);
    this.#bytes = joined;
    this.#at = 0;
  }

  /** Up to 24 bits. */
  read(count: number): number {
    while (this.#held < count) {
      this.#buffer = (this.#buffer << 8) | (this.#at < this.#bytes.length ? this.#bytes[this.#at] : 0);
      this.#at++;
      this.#held += 8;
    }
    this.skip(count);
    return (this.#buffer >>> this.#held) & ((1 << count) - 1);
  }

  /** The next 20 bits, zeros beyond the end of what has arrived. */
  peek20(): number {
    while (this.#held < MOST_BITS) {
      this.#buffer = (this.#buffer << 8) | (this.#at < this.#bytes.length ? this.#bytes[this.#at] : 0);
      this.#at++;
      this.#held += 8;
    }
    return (this.#buffer >>> (this.#held - MOST_BITS)) & 0xfffff;
  }

  /** Passes over bits that were looked at. */
  skip(count: number): void {
    this.#held -= count;
    if (this.#at > this.#bytes.length && this.#held < 8 * (this.#at - this.#bytes.length)) {
      throw new Bzip2Error("ends in the middle of a block");
    }
  }

  read48(): number {
    return this.read(24) * 0x1000000 + this.read(24);
  }

  read32(): number {
    return ((this.read(16) << 16) | this.read(16)) >>> 0;
  }

  /** Drops the bits that are left of a begun byte. */
  alignToByte(): void {
    this.#held -= this.#held % 8;
  }
}

/** Codes of up to this many bits are looked up at once. */
const LOOKUP_BITS = 10;

/** One Huffman code. */
interface Huffman {
  /** By the next `LOOKUP_BITS` bits: symbol x 32 + length, or 0 for longer codes. */
  readonly lookup: Uint16Array;
  /** By length, the bits at the left of 20: the largest code; and what a code less its symbol's place is. */
  readonly limit: Int32Array;
  readonly base: Int32Array;
  readonly symbols: Uint16Array;
}

function makeHuffman(lengths: Uint8Array): Huffman {
  const counts = new Int32Array(MOST_BITS + 1);
  for (const length of lengths) counts[length]++;
  const symbols = new Uint16Array(lengths.length), lookup = new Uint16Array(1 << LOOKUP_BITS);
  const limit = new Int32Array(MOST_BITS + 1).fill(-1), base = new Int32Array(MOST_BITS + 1);
  let code = 0, place = 0;
  for (let length = 1; length <= MOST_BITS; length++) {
    base[length] = code - place;
    lengths.forEach((own, symbol) => {
      if (own !== length) return;
      symbols[place++] = symbol;
      if (length <= LOOKUP_BITS) lookup.fill(32 * symbol + length, code << (LOOKUP_BITS - length), (code + 1) << (LOOKUP_BITS - length));
      code++;
    });
    if (counts[length] > 0) limit[length] = (code << (MOST_BITS - length)) - 1;
    code <<= 1;
  }
  return { lookup, limit, base, symbols };
}

function readSymbol(bits: Bits, { lookup, limit, base, symbols }: Huffman): number {
  const next = bits.peek20(), found = lookup[next >>> (MOST_BITS - LOOKUP_BITS)];
  if (found !== 0) {
    bits.skip(found & 31);
    return found >>> 5;
  }
  for (let length = 1; length <= MOST_BITS; length++) {
    if (next > limit[length]) continue;
    const at = (next >>> (MOST_BITS - length)) - base[length];
    if (at < 0 || at >= symbols.length) break;
    bits.skip(length);
    return symbols[at];
  }
  throw new Bzip2Error("holds a code that stands for nothing: it is damaged");
}

function readUsedBytes(bits: Bits): number[] {
  const rows = bits.read(16), used: number[] = [];
  for (let row = 0; row < 16; row++) {
    if (!(rows & (0x8000 >> row))) continue;
    const columns = bits.read(16);
    for (let column = 0; column < 16; column++) if (columns & (0x8000 >> column)) used.push(16 * row + column);
  }
  if (used.length === 0) throw new Bzip2Error("holds a block that uses no byte: it is damaged");
  return used;
}

function readSelectors(bits: Bits, tables: number): Uint8Array {
  const count = bits.read(15);
  if (count === 0) throw new Bzip2Error("holds a block without codes: it is damaged");
  const order = Array.from({ length: tables }, (_, i) => i);
  const selectors = new Uint8Array(Math.min(count, MOST_SELECTORS));
  for (let i = 0; i < count; i++) {
    let place = 0;
    while (bits.read(1)) if (++place >= tables) throw new Bzip2Error("names a table that is not there: it is damaged");
    const [table] = order.splice(place, 1);
    order.unshift(table);
    // Some compressors write more selectors than a block can need; those are passed over.
    if (i < MOST_SELECTORS) selectors[i] = table;
  }
  return selectors;
}

function readTable(bits: Bits, symbols: number): Huffman {
  const lengths = new Uint8Array(symbols);
  let length = bits.read(5);
  for (let i = 0; i < symbols; i++) {
    for (;;) {
      if (length < 1 || length > MOST_BITS) throw new Bzip2Error(`states a code of ${length} bits: it is damaged`);
      if (!bits.read(1)) break;
      length += bits.read(1) ? -1 : 1;
    }
    lengths[i] = length;
  }
  return makeHuffman(lengths);
}

/** Symbols of a block before the Burrows-Wheeler transform is undone, in the low 8 bits of `into`. @returns How many. */
function readSymbols(bits: Bits, into: Uint32Array): number {
  const used = readUsedBytes(bits), tables = bits.read(3);
  if (tables < 2 || tables > 6) throw new Bzip2Error(`states ${tables} tables, expected 2 to 6: it is damaged`);
  const selectors = readSelectors(bits, tables), end = used.length + 1;
  const codes = Array.from({ length: tables }, () => readTable(bits, end + 1));
  const order = Uint8Array.from(used);
  let count = 0, group = -1, leftInGroup = 0, code = codes[0];
  let run = 0, weight = 1;
  for (;;) {
    if (leftInGroup === 0) {
      if (++group >= selectors.length) throw new Bzip2Error("holds more symbols than it announced: it is damaged");
      code = codes[selectors[group]];
      leftInGroup = GROUP_SYMBOLS;
    }
    leftInGroup--;
    const symbol = readSymbol(bits, code);
    if (symbol <= 1) {
      // Runs of the first byte in the order, in a base of two whose digits are 1 and 2.
      run += weight << symbol;
      weight *= 2;
      if (run > into.length) throw new Bzip2Error("holds a run longer than its block: it is damaged");
      continue;
    }
    if (run > 0) {
      if (count + run > into.length) throw new Bzip2Error("holds a block longer than it may be: it is damaged");
      into.fill(order[0], count, count + run);
      count += run;
      run = 0;
      weight = 1;
    }
    if (symbol === end) return count;
    const byte = order[symbol - 1];
    order.copyWithin(1, 0, symbol - 1);
    order[0] = byte;
    if (count >= into.length) throw new Bzip2Error("holds a block longer than it may be: it is damaged");
    into[count++] = byte;
  }
}

/** Undoes the Burrows-Wheeler transform in place: after it, each entry holds its byte and the place of the next. */
function linkBlock(block: Uint32Array, count: number): void {
  const starts = new Uint32Array(256);
  for (let i = 0; i < count; i++) starts[block[i] & 255]++;
  for (let byte = 0, sum = 0; byte < 256; byte++) {
    const own = starts[byte];
    starts[byte] = sum;
    sum += own;
  }
  for (let i = 0; i < count; i++) block[starts[block[i] & 255]++] |= i << 8;
}

/** The content of a linked block, in pieces. @returns Its checksum. */
function* unpackBlock(block: Uint32Array, count: number, origin: number): Generator<Uint8Array, number> {
  let out = new Uint8Array(PIECE_BYTES), filled = 0, crc = 0xffffffff, previous = -1, equal = 0;
  let at = count > 0 ? block[origin] >>> 8 : 0;
  for (let i = 0; i < count; i++) {
    const entry = block[at], byte = entry & 255;
    at = entry >>> 8;
    let repeat = 1;
    let value = byte;
    if (equal === 4) {
      repeat = byte;
      value = previous;
      equal = 0;
    } else if (byte === previous) equal++;
    else {
      previous = byte;
      equal = 1;
    }
    for (; repeat > 0; repeat--) {
      out[filled++] = value;
      crc = (crc << 8) ^ crcTable[(crc >>> 24) ^ value];
      if (filled === out.length) {
        yield out;
        out = new Uint8Array(PIECE_BYTES);
        filled = 0;
      }
    }
  }
  if (filled > 0) yield out.subarray(0, filled);
  return ~crc >>> 0;
}

/**
 * Decompresses a bzip2 file, one or more streams one after the other.
 *
 * Memory: one block (3.6 MB), what is needed of the input (2.4 MB and a chunk), and one piece of 256 kB.
 * @throws {Bzip2Error} When the file is none, ends early or a checksum is wrong. What was given before is right.
 */
export async function* decompressBzip2(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const input = chunks[Symbol.asyncIterator](), bits = new Bits();
  let ended = false;
  const fill = async (bytes: number): Promise<void> => {
    while (!ended && bits.left < bytes) {
      const next = await input.next();
      if (next.done) ended = true;
      else bits.append(next.value);
    }
  };
  try {
    let block = new Uint32Array(0);
    for (let stream = 0;; stream++) {
      await fill(MOST_BLOCK_BYTES);
      if (bits.left === 0 && stream > 0) return;
      if (bits.left < 14 || bits.read(24) !== 0x425a68) {
        throw new Bzip2Error(
          stream === 0 ? "is no bzip2 file: it does not begin with BZh" : "is followed by something that is no bzip2 stream",
        );
      }
      const level = bits.read(8) - 0x30;
      if (level < 1 || level > 9) throw new Bzip2Error("is no bzip2 file: BZ is not followed by h1 to h9");
      if (block.length < 100_000 * level) block = new Uint32Array(100_000 * level);
      let combined = 0;
      for (;;) {
        await fill(MOST_BLOCK_BYTES);
        const magic = bits.read48();
        if (magic === END_MAGIC) {
          if (bits.read32() !== combined) throw new Bzip2Error("has a wrong checksum: it is damaged");
          bits.alignToByte();
          break;
        }
        if (magic !== BLOCK_MAGIC) throw new Bzip2Error("holds something that is no block: it is damaged");
        const stated = bits.read32();
        if (bits.read(1)) throw new Bzip2Error("was written by bzip2 0.9.0 or older (randomised blocks): compress it anew");
        const origin = bits.read(24), room = block.subarray(0, 100_000 * level);
        const count = readSymbols(bits, room);
        if (count > 0 && origin >= count) throw new Bzip2Error("begins a block outside of it: it is damaged");
        linkBlock(room, count);
        const pieces = unpackBlock(room, count, origin);
        let piece = pieces.next();
        for (; !piece.done; piece = pieces.next()) yield piece.value;
        if (piece.value !== stated) throw new Bzip2Error("has a wrong checksum: it is damaged");
        combined = (((combined << 1) | (combined >>> 31)) ^ stated) >>> 0;
      }
    }
  } finally {
    await input.return?.();
  }
}
