/**
 * What the layers of a pass share while they are recorded, and what a recorded pass takes and gives.
 * @module
 */
import type { Layer } from "../network.ts";
import { inputsOf, type NetworkShapes } from "../shapes.ts";
import { ARGUMENT, BINARY, type Layout, type Pointer, TYPE } from "./makers.ts";
import type { Parameters } from "./parameters.ts";
import { type Peaks, scatterPeaks } from "./peaks.ts";
import { Program, type Tensor } from "./program.ts";
import { BLOCKS, type Runtime } from "./runtime.ts";

/** `train` has noise and batch statistics, `calibrate` batch statistics, `infer` neither. */
export type Mode = "train" | "calibrate" | "infer";

/** A layer of one kind. */
export type LayerOf<Op extends Layer["op"]> = Extract<Layer, { op: Op }>;

/** Statistics of a batch norm over the batch that has just run. */
export interface BatchStatistics {
  readonly layer: string;
  /** `[c]`. */
  readonly mean: Float32Array;
  /** `[c]`, of the population. */
  readonly variance: Float32Array;
}

/** What a pass is recorded for. */
export interface PassOptions {
  readonly runtime: Runtime;
  readonly network: NetworkShapes;
  readonly parameters: Parameters;
  readonly mode: Mode;
  /** Rows of the batch. */
  readonly count: number;
  /** Layers whose outputs are wanted. */
  readonly outputs: readonly string[];
  /** Layers whose gradients are wanted. */
  readonly trainable: ReadonlySet<string>;
}

/** A pass under record, and then recorded. Set `feeds` and `targets`, run `program`, then read the rest. */
export class Pass {
  readonly runtime: Runtime;
  readonly program: Program;
  readonly network: NetworkShapes;
  readonly mode: Mode;
  readonly count: number;
  /** Arrays to fill before a run, by name. */
  readonly feeds = new Map<string, Float32Array>();
  /** Targets to fill before a run. */
  targets: Float32Array | null = null;
  /** Loss of the last run. */
  loss = NaN;
  /** Outputs of the last run, in the logical layout. */
  readonly results = new Map<string, Float32Array>();
  readonly statistics: BatchStatistics[] = [];
  /** The layers that this pass needs, in order. */
  readonly layers: readonly Layer[];
  readonly #parameters: Parameters;
  readonly #trainable: ReadonlySet<string>;
  readonly #values = new Map<string, Tensor>();
  readonly #readers = new Map<string, Layer[]>();
  readonly #gradients = new Map<string, { dense: Tensor[]; peaks: Peaks[] }>();
  readonly #reordered = new Map<Tensor, Tensor[]>();
  readonly #back: (() => void)[] = [];
  /** Layers with something to train at or before them. */
  readonly #differentiable = new Set<string>();

  constructor({ runtime, network, parameters, mode, count, outputs, trainable }: PassOptions) {
    this.runtime = runtime;
    this.program = new Program(runtime);
    this.network = network;
    this.mode = mode;
    this.count = count;
    this.#parameters = parameters;
    this.#trainable = trainable;
    const ends = [...outputs, ...(mode === "train" ? [network.spec.loss!.prediction] : [])];
    const needed = mode === "calibrate" ? new Set(network.layers.keys()) : this.#ancestors(ends);
    const layers = network.spec.layers.filter((layer) => needed.has(layer.id));
    for (const layer of layers) {
      for (const id of inputsOf(layer)) this.#readers.set(id, [...this.#readers.get(id) ?? [], layer]);
      if (trainable.has(layer.id) || inputsOf(layer).some((id) => this.#differentiable.has(id))) this.#differentiable.add(layer.id);
    }
    // Read by the caller: not to be fused away.
    const caller: Layer = { id: "", op: "input", shape: [] };
    for (const id of ends) this.#readers.set(id, [...this.#readers.get(id) ?? [], caller]);
    this.layers = layers;
  }

  /** A layer's output. */
  value(id: string): Tensor {
    return this.#values.get(id)!;
  }

  /** Shape of a layer's output with the batch axis. */
  shape(id: string): number[] {
    return [this.count, ...this.network.shapes.get(id)!];
  }

  /** Says what a layer's output is. */
  define(id: string, tensor: Tensor): void {
    this.#values.set(id, tensor);
  }

  /** The ELU that alone reads a layer, so that it can be found in the same pass. */
  soleElu(id: string): LayerOf<"elu"> | null {
    const readers = this.#readers.get(id) ?? [];
    return readers.length === 1 && readers[0].op === "elu" ? readers[0] : null;
  }

  /** Whether a layer's own parameters are trained. */
  trains(id: string): boolean {
    return this.mode === "train" && this.#trainable.has(id);
  }

  /** Whether a gradient must reach this layer's output. */
  needsGradient(id: string): boolean {
    return this.#differentiable.has(id);
  }

  /** Whether a layer's output is known already. */
  has(id: string): boolean {
    return this.#values.has(id);
  }

  /** Notes what a layer does on the way back. */
  backward(step: () => void): void {
    this.#back.push(step);
  }

  /** Records the way back, the last layer first. */
  goBack(): void {
    for (const step of this.#back.reverse()) step();
  }

  /** Row-major. */
  plainDescriptor(shape: readonly number[]): Pointer {
    return this.describe(shape, rowMajor(shape));
  }

  /** A descriptor of float32 numbers. */
  describe(shape: readonly number[], layout: Layout): Pointer {
    return this.runtime.makers.describe(shape, TYPE.float32, layout);
  }

  /** A tensor in another layout; the same one when it lies so already. */
  as(tensor: Tensor, descriptor: Pointer): Tensor {
    if (this.runtime.equal(tensor.descriptor, descriptor)) return tensor;
    const known = this.#reordered.get(tensor) ?? [];
    let found = known.find((other) => this.runtime.equal(other.descriptor, descriptor));
    if (!found) {
      found = this.program.temporary(tensor.shape, descriptor);
      this.reorder(tensor, found);
      this.#reordered.set(tensor, [...known, found]);
    }
    return found;
  }

  /** A tensor as the border has it. */
  plain(tensor: Tensor): Tensor {
    return this.as(tensor, this.plainDescriptor(tensor.shape));
  }

  /** Copies a tensor into another of another layout. */
  reorder(from: Tensor, to: Tensor, prepares = false): void {
    const primitive = this.program.keep(this.runtime.makers.reorder(from.descriptor, to.descriptor));
    this.program.execute(primitive, [[ARGUMENT.source, from], [ARGUMENT.destination, to]], prepares);
  }

  /** A parameter's values in the layout that a primitive chose. `shape` and `strides` say how the plain ones are to be read. */
  weights(name: string, shape: readonly number[], chosen: Pointer, strides = rowMajor(shape)): Tensor {
    const plain = this.program.fixed(shape, this.describe(shape, strides), this.#parameters.view(name));
    if (this.runtime.equal(plain.descriptor, chosen)) return plain;
    const prepared = this.program.fixed(shape, chosen, new Float32Array(this.runtime.bytes(chosen) / 4));
    this.reorder(plain, prepared, true);
    return prepared;
  }

  /** A parameter `[c]`. */
  vector(name: string): Tensor {
    const values = this.#parameters.view(name);
    return this.program.fixed([values.length], this.describe([values.length], [1]), values);
  }

  /** Where a parameter's gradient `[c]` belongs. */
  vectorGradient(name: string): Tensor {
    const values = this.#parameters.view(name, "gradients");
    return this.program.fixed([values.length], this.describe([values.length], [1]), values);
  }

  /** Where a primitive writes the gradient of a parameter: into its place, or beside it when the layouts differ; then call `done`. */
  weightGradient(name: string, shape: readonly number[], chosen: Pointer, strides = rowMajor(shape)): { tensor: Tensor; done(): void } {
    const plain = this.program.fixed(shape, this.describe(shape, strides), this.#parameters.view(name, "gradients"));
    if (this.runtime.equal(plain.descriptor, chosen)) return { tensor: plain, done() {} };
    const tensor = this.program.temporary(shape, chosen);
    return { tensor, done: () => this.reorder(tensor, plain) };
  }

  /** Adds to the gradient of a layer's output. The tensor belongs to that gradient from now on. */
  contribute(id: string, tensor: Tensor | Peaks): void {
    if (!this.needsGradient(id)) return;
    const sum = this.#gradients.get(id) ?? { dense: [], peaks: [] };
    this.#gradients.set(id, sum);
    if ("descriptor" in tensor) sum.dense.push(tensor);
    else sum.peaks.push(tensor);
  }

  /** The whole gradient of a layer's output in a layout, which may be overwritten; null when nothing reached it. */
  gradient(id: string, descriptor: Pointer): Tensor | null {
    const sum = this.#gradients.get(id);
    if (!sum) return null;
    const { dense: [first, ...others], peaks } = sum;
    let total = first ? this.as(first, descriptor) : this.program.temporary(this.shape(id), descriptor);
    if (!first) this.program.call([total], (values) => values.fill(0));
    for (const other of others) {
      const primitive = this.program.keep(this.runtime.makers.binary(BINARY.add, descriptor, descriptor, descriptor, null));
      this.program.execute(primitive, [
        [ARGUMENT.source, total],
        [ARGUMENT.secondSource, this.as(other, descriptor)],
        [ARGUMENT.destination, total],
      ]);
    }
    if (peaks.length === 0) return total;
    const block = this.blockOf(total);
    // A layout that is none of ours cannot be written to here.
    if (block === null) total = this.plain(total);
    for (const one of peaks) scatterPeaks(this.program, one, total, block ?? 1);
    return this.as(total, descriptor);
  }

  /** Channels of a volume that lie together: 8, 16 or all; 1 when it is row-major; null for any other layout. */
  blockOf({ descriptor, shape }: Tensor): number | null {
    for (const block of [1, ...BLOCKS, shape[1]]) {
      if (this.runtime.equal(descriptor, this.describe(shape, this.layoutOf(shape, block)))) return block;
    }
    return null;
  }

  /** The layout of a volume in which so many channels lie together. */
  layoutOf(shape: readonly number[], block: number): Layout {
    if (block === 1) return rowMajor(shape);
    if (block === 8 || block === 16) return `block${block}`;
    const [, channels, z, y, x] = shape;
    return [channels * z * y * x, 1, channels * y * x, channels * x, channels];
  }

  /** Numbers `[c]` that stay where they are. */
  numbers(length: number, value = 0): { readonly array: Float32Array; readonly tensor: Tensor } {
    const array = new Float32Array(length).fill(value);
    return { array, tensor: this.program.fixed([length], this.describe([length], [1]), array) };
  }

  /** A tensor that the caller fills before each run. */
  feed(name: string, shape: readonly number[]): Tensor {
    const array = new Float32Array(shape.reduce((product, axis) => product * axis, 1));
    this.feeds.set(name, array);
    return this.program.fixed(shape, this.plainDescriptor(shape), array);
  }

  /** Copies a layer's output into `results` after each run. */
  result(id: string): void {
    const tensor = this.plain(this.value(id));
    const result = new Float32Array(tensor.shape.reduce((product, axis) => product * axis, 1));
    this.results.set(id, result);
    this.program.call([tensor], (values) => result.set(values.subarray(0, result.length)));
  }

  #ancestors(ends: readonly string[]): Set<string> {
    const needed = new Set<string>();
    const visit = (id: string): void => {
      if (needed.has(id)) return;
      needed.add(id);
      inputsOf(this.network.layers.get(id)!).forEach(visit);
    };
    ends.forEach(visit);
    return needed;
  }
}

/** Strides of a row-major array. */
export function rowMajor(shape: readonly number[]): number[] {
  const strides = shape.map(() => 1);
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1] * shape[axis + 1];
  return strides;
}
