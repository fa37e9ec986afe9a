/**
 * A recorded list of primitives and of small work in JavaScript between them, and where its tensors lie.
 *
 * Tensors that are needed only for a while share one arena: when everything is recorded, each gets a place that no other one needs at the same
 * time. Programs of a network share the arena too, since only one runs at a time.
 * @module
 */
import type { Pointer } from "./makers.ts";
import { addressOf, packArguments, type Runtime } from "./runtime.ts";
import { made } from "./status.ts";

/** Places are multiples of this: a cache line, and the widest vector of any processor. */
const ALIGNMENT = 64;

/** A stretch of memory: in the arena between its first and its last use, or an array of its own. */
interface Storage {
  readonly bytes: number;
  readonly array: Float32Array | null;
  first: number;
  last: number;
  offset: number;
}

/** Numbers in some layout, `[n, ...]`. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly descriptor: Pointer;
  readonly storage: Storage;
  /** Bytes from the storage's beginning to the first number. */
  readonly begin: number;
}

/** Memory that grows with the largest program that used it. */
export class Arena {
  #buffer = new ArrayBuffer(0);
  #address = 0n;
  #offset = 0;
  /** Changes when the memory moves. */
  generation = 0;

  /** Bytes held. */
  get bytes(): number {
    return this.#buffer.byteLength;
  }

  /**
   * Makes room.
   *
   * @throws {RangeError} When there is not so much memory; what was held is given up.
   */
  reserve(bytes: number): void {
    if (this.#buffer.byteLength >= bytes + ALIGNMENT) return;
    this.generation++;
    // What was held goes first: both together may not fit.
    this.#buffer = new ArrayBuffer(0);
    this.#buffer = new ArrayBuffer(bytes + ALIGNMENT);
    const start = addressOf(new Uint8Array(this.#buffer));
    this.#offset = Number((BigInt(ALIGNMENT) - start % BigInt(ALIGNMENT)) % BigInt(ALIGNMENT));
    this.#address = start + BigInt(this.#offset);
  }

  /** Address of a place. */
  at(offset: number): bigint {
    return this.#address + BigInt(offset);
  }

  /** A place as numbers. */
  view(offset: number, bytes: number): Float32Array {
    return new Float32Array(this.#buffer, this.#offset + offset, bytes >> 2);
  }
}

interface Step {
  /** Absent: work in JavaScript. */
  readonly primitive?: Pointer;
  readonly uses: readonly (readonly [number, Tensor])[];
  readonly work?: (...views: Float32Array[]) => void;
  /** Only when weights changed since the last run. */
  readonly prepares: boolean;
  args: BigUint64Array<ArrayBuffer>;
  views: Float32Array[];
}

/** Records, then runs as often as one likes. */
export class Program {
  readonly #runtime: Runtime;
  readonly #steps: Step[] = [];
  readonly #storages = new Set<Storage>();
  readonly #descriptors: Pointer[] = [];
  readonly #attributes: Pointer[] = [];
  readonly #memories = new Map<Tensor, Pointer>();
  #arena: Arena | null = null;
  #generation = -1;
  #bytes = -1;
  #weights = -1;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /** A tensor in the arena. */
  temporary(shape: readonly number[], descriptor: Pointer): Tensor {
    const storage = { bytes: this.#runtime.bytes(descriptor), array: null, first: Infinity, last: -1, offset: 0 };
    this.#storages.add(storage);
    return { shape, descriptor, storage, begin: 0 };
  }

  /** A tensor in an array of its own, which the program keeps reachable. */
  fixed(shape: readonly number[], descriptor: Pointer, array: Float32Array): Tensor {
    return { shape, descriptor, storage: { bytes: array.byteLength, array, first: 0, last: 0, offset: 0 }, begin: 0 };
  }

  /** The same numbers in the same order with another shape. */
  alias(tensor: Tensor, shape: readonly number[], descriptor: Pointer): Tensor {
    return { shape, descriptor, storage: tensor.storage, begin: tensor.begin };
  }

  /** One row of a row-major tensor `[n, c]`, as `[1, c]`. */
  row({ shape: [, channels], storage, begin }: Tensor, row: number, descriptor: Pointer): Tensor {
    return { shape: [1, channels], descriptor, storage, begin: begin + 4 * row * channels };
  }

  /** Keeps a primitive descriptor, and what it chose, until the program is disposed. */
  keep(descriptor: Pointer): Pointer {
    this.#descriptors.push(descriptor);
    return descriptor;
  }

  /** Keeps attributes until the program is disposed. */
  keepAttributes(attributes: Pointer): Pointer {
    this.#attributes.push(attributes);
    return attributes;
  }

  /** Records a primitive. `prepares`: its inputs are weights alone, so it runs only after they changed, and its output must be `fixed`. */
  execute(descriptor: Pointer, uses: readonly (readonly [number, Tensor])[], prepares = false): void {
    const primitive = made("primitive", (out) => this.#runtime.library.symbols.dnnl_primitive_create(out, descriptor));
    this.#record({ primitive, uses, prepares, args: new BigUint64Array(), views: [] });
  }

  /** Records work in JavaScript on the memory of tensors. */
  call(tensors: readonly Tensor[], work: (...views: Float32Array[]) => void): void {
    this.#record({ uses: tensors.map((tensor) => [0, tensor] as const), work, prepares: false, args: new BigUint64Array(), views: [] });
  }

  /** Bytes of the arena that a run needs. */
  get bytes(): number {
    if (this.#bytes < 0) this.#bytes = place([...this.#storages].filter((storage) => storage.last >= 0));
    return this.#bytes;
  }

  /**
   * Runs everything in order.
   *
   * @param weights A number that changes when weights do.
   * @throws {RangeError} When the arena cannot grow.
   */
  run(arena: Arena, weights: number): void {
    arena.reserve(this.bytes);
    if (this.#arena !== arena || this.#generation !== arena.generation) this.#bind(arena);
    const fresh = weights !== this.#weights;
    for (const { primitive, work, prepares, args, views } of this.#steps) {
      if (prepares && !fresh) continue;
      if (primitive) this.#runtime.execute(primitive, args);
      else {
        this.#runtime.wait();
        work!(...views);
      }
    }
    this.#runtime.wait();
    this.#weights = weights;
  }

  /** Frees primitives and memories. */
  dispose(): void {
    const { symbols } = this.#runtime.library;
    this.#release();
    for (const { primitive } of this.#steps) if (primitive) symbols.dnnl_primitive_destroy(primitive);
    for (const descriptor of this.#descriptors) symbols.dnnl_primitive_desc_destroy(descriptor);
    for (const attributes of this.#attributes) symbols.dnnl_primitive_attr_destroy(attributes);
    this.#attributes.length = 0;
    this.#steps.length = 0;
    this.#descriptors.length = 0;
  }

  #record(step: Step): void {
    const index = this.#steps.length;
    for (const [, { storage }] of step.uses) {
      storage.first = Math.min(storage.first, index);
      storage.last = Math.max(storage.last, index);
    }
    this.#steps.push(step);
  }

  #bind(arena: Arena): void {
    this.#release();
    const memoryOf = (tensor: Tensor): Pointer => {
      let memory = this.#memories.get(tensor);
      if (!memory) {
        const { array, offset } = tensor.storage;
        const start = array ? addressOf(array) : arena.at(offset);
        memory = this.#runtime.memory(tensor.descriptor, start + BigInt(tensor.begin));
        this.#memories.set(tensor, memory);
      }
      return memory;
    };
    for (const step of this.#steps) {
      if (step.primitive) step.args = packArguments(step.uses.map(([argument, tensor]) => [argument, memoryOf(tensor)]));
      else step.views = step.uses.map(([, { storage: { array, offset, bytes } }]) => array ?? arena.view(offset, bytes));
    }
    this.#arena = arena;
    this.#generation = arena.generation;
    // Prepared weights are in arrays of their own, but their memories are new.
    this.#weights = -1;
  }

  #release(): void {
    for (const memory of this.#memories.values()) this.#runtime.library.symbols.dnnl_memory_destroy(memory);
    this.#memories.clear();
  }
}

/** Gives storages places: the largest first, each at the lowest place that is free while it is in use. Returns the bytes needed. */
function place(storages: readonly Storage[]): number {
  const placed: Storage[] = [];
  let total = 0;
  for (const storage of [...storages].sort((a, b) => b.bytes - a.bytes)) {
    const beside = placed.filter(({ first, last }) => first <= storage.last && last >= storage.first).sort((a, b) => a.offset - b.offset);
    let offset = 0;
    for (const other of beside) {
      if (other.offset >= offset + storage.bytes) break;
      offset = Math.max(offset, Math.ceil((other.offset + other.bytes) / ALIGNMENT) * ALIGNMENT);
    }
    storage.offset = offset;
    placed.push(storage);
    total = Math.max(total, offset + storage.bytes);
  }
  return total;
}

/** An array whose first number lies at a multiple of {@linkcode ALIGNMENT}. */
export function alignedFloats(length: number): Float32Array<ArrayBuffer> {
  const buffer = new ArrayBuffer(4 * length + ALIGNMENT);
  const over = Number(addressOf(new Uint8Array(buffer)) % BigInt(ALIGNMENT));
  return new Float32Array(buffer, (ALIGNMENT - over) % ALIGNMENT, length);
}
