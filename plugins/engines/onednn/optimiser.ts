/**
 * Nadam as primitives on long stretches of parameters.
 * @module
 */
import type { NadamStep } from "../nadam.ts";
import type { Optimiser } from "../network.ts";
import { ARGUMENT, BINARY, type Pointer, type PostOperation, TYPE } from "./makers.ts";
import type { Parameters } from "./parameters.ts";
import { addressOf, packArguments, type Runtime } from "./runtime.ts";
import { alignedFloats } from "./program.ts";
import { made } from "./status.ts";

/**
 * Numbers that are worked on at a time: what seven primitives in a row read stays in the cache of one core, so one thread does it all. For the
 * 6.3 million of YOPO at full width that took 15 ms of processor time, two threads 33, a loop in JavaScript 42.
 */
const CHUNK = 32768;

/** Primitives for one length of chunk, in the order in which they run. */
interface Recipe {
  readonly primitives: readonly Pointer[];
  /** Descriptor of a chunk. */
  readonly descriptor: Pointer;
}

/** One chunk: the arguments of each primitive. */
type Chunk = readonly (readonly [Pointer, BigUint64Array<ArrayBuffer>])[];

/**
 * With A = -gradientFactor / sqrt(varianceFactor), B = -momentFactor / sqrt(varianceFactor) and C = epsilon / sqrt(varianceFactor) the update of
 * {@linkcode ../nadam.ts} is
 *
 * `m = (1 - b1) g + b1 m`, `v = (1 - b2) g g + b2 v`, `t = B m`, `t = A g + t`, `s = sqrt(v)`, `s = s + C`, `p = t / s + p`.
 */
export class NadamPrimitives {
  readonly #runtime: Runtime;
  readonly #parameters: Parameters;
  readonly #optimiser: Optimiser;
  readonly #recipes = new Map<number, Recipe>();
  readonly #plans = new Map<string, Chunk[]>();
  readonly #owned: {
    readonly primitives: Pointer[];
    readonly descriptors: Pointer[];
    readonly attributes: Pointer[];
    readonly memories: Pointer[];
  };
  /** 1 - beta1, A, B and C, each at the beginning of a cache line. */
  readonly #scalars = alignedFloats(64);
  readonly #scalarMemories: readonly Pointer[];
  readonly #scalar: Pointer;
  readonly #scratch = [alignedFloats(CHUNK), alignedFloats(CHUNK)] as const;

  constructor(runtime: Runtime, parameters: Parameters, optimiser: Optimiser) {
    this.#runtime = runtime;
    this.#parameters = parameters;
    this.#optimiser = optimiser;
    this.#owned = { primitives: [], descriptors: [], attributes: [], memories: [] };
    this.#scalar = runtime.makers.describe([1], TYPE.float32, [1]);
    this.#scalarMemories = [0, 16, 32, 48].map((at) => this.#memory(this.#scalar, this.#scalars.subarray(at, at + 1)));
  }

  /** Updates the parameters of some layers from the gradients that lie beside them. */
  step(layers: ReadonlySet<string>, { gradientFactor, momentFactor, varianceFactor }: NadamStep): void {
    const { beta1, epsilon } = this.#optimiser;
    const root = Math.sqrt(varianceFactor);
    [1 - beta1, -gradientFactor / root, -momentFactor / root, epsilon / root].forEach((value, i) => this.#scalars[16 * i] = value);
    this.#runtime.alone(() => {
      for (const { begin, end } of this.#parameters.stretches(layers)) {
        for (const chunk of this.#plan(begin, end)) {
          for (const [primitive, args] of chunk) this.#runtime.execute(primitive, args);
        }
      }
      this.#runtime.wait();
    });
    this.#parameters.version++;
  }

  /** Frees everything that was made. */
  dispose(): void {
    const { symbols } = this.#runtime.library;
    this.#owned.memories.forEach((memory) => symbols.dnnl_memory_destroy(memory));
    this.#owned.primitives.forEach((primitive) => symbols.dnnl_primitive_destroy(primitive));
    this.#owned.descriptors.forEach((descriptor) => symbols.dnnl_primitive_desc_destroy(descriptor));
    this.#owned.attributes.forEach((attributes) => symbols.dnnl_primitive_attr_destroy(attributes));
    this.#plans.clear();
    this.#recipes.clear();
  }

  #plan(begin: number, end: number): Chunk[] {
    const key = `${begin} ${end}`;
    let plan = this.#plans.get(key);
    if (!plan) {
      plan = [];
      for (let from = begin; from < end; from += CHUNK) plan.push(this.#chunk(from, Math.min(CHUNK, end - from)));
      this.#plans.set(key, plan);
    }
    return plan;
  }

  #chunk(begin: number, length: number): Chunk {
    const { primitives: [moment, variance, scale, add, root, lift, update], descriptor } = this.#recipe(length);
    const at = (array: Float32Array) => this.#memory(descriptor, array.subarray(begin, begin + length));
    const { values, gradients, moments, variances } = this.#parameters;
    const [p, g, m, v] = [at(values), at(gradients), at(moments), at(variances)];
    const [t, s] = this.#scratch.map((array) => this.#memory(descriptor, array.subarray(0, length)));
    const [rest, a, b, c] = this.#scalarMemories;
    const binary = (first: Pointer, second: Pointer, result: Pointer) =>
      packArguments([[ARGUMENT.source, first], [ARGUMENT.secondSource, second], [ARGUMENT.destination, result]]);
    return [
      [moment, binary(g, rest, m)],
      [variance, binary(g, g, v)],
      [scale, binary(m, b, t)],
      [add, binary(g, a, t)],
      [root, packArguments([[ARGUMENT.source, v], [ARGUMENT.destination, s]])],
      [lift, binary(s, c, s)],
      [update, binary(t, s, p)],
    ];
  }

  #recipe(length: number): Recipe {
    let recipe = this.#recipes.get(length);
    if (!recipe) {
      const { makers } = this.#runtime;
      const { beta1, beta2 } = this.#optimiser;
      const chunk = makers.describe([length], TYPE.float32, [1]);
      const sum = (scale: number): PostOperation => ({ kind: "sum", scale });
      const binary = (kind: number, second: Pointer, after: readonly PostOperation[]) =>
        this.#primitive(after, (attributes) => makers.binary(kind, chunk, second, chunk, attributes));
      const primitives = [
        binary(BINARY.multiply, this.#scalar, [sum(beta1)]),
        binary(BINARY.multiply, chunk, [{ kind: "linear", alpha: 1 - beta2, beta: 0 }, sum(beta2)]),
        binary(BINARY.multiply, this.#scalar, []),
        binary(BINARY.multiply, this.#scalar, [sum(1)]),
        this.#primitive([], (attributes) => makers.eltwiseForward("sqrt", chunk, attributes)),
        binary(BINARY.add, this.#scalar, []),
        binary(BINARY.divide, chunk, [sum(1)]),
      ];
      recipe = { primitives, descriptor: chunk };
      this.#recipes.set(length, recipe);
    }
    return recipe;
  }

  #primitive(after: readonly PostOperation[], make: (attributes: Pointer | null) => Pointer): Pointer {
    const attributes = after.length > 0 ? this.#runtime.makers.attributes(after) : null;
    if (attributes) this.#owned.attributes.push(attributes);
    const descriptor = make(attributes);
    this.#owned.descriptors.push(descriptor);
    const primitive = made("primitive", (out) => this.#runtime.library.symbols.dnnl_primitive_create(out, descriptor));
    this.#owned.primitives.push(primitive);
    return primitive;
  }

  #memory(descriptor: Pointer, array: Float32Array): Pointer {
    const memory = this.#runtime.memory(descriptor, addressOf(array));
    this.#owned.memories.push(memory);
    return memory;
  }
}
