/**
 * One pass through a network as graph nodes: forward layer by layer, then backward by the chain rule.
 *
 * Activations keep the logical layout, `[batch, c, z, y, x]`; the length of the batch is known only when the graph runs. A batch norm is not
 * carried out where it stands but handed on as a scale and a shift per channel (see {@linkcode Value}): valid convolutions take them into
 * their weights and the global maximum into its result, which saves a pass over the largest tensors in both directions.
 * @module
 */
import type { Layer } from "../network.ts";
import { inputsOf, type NetworkShapes, trainableLayers } from "../shapes.ts";
import type { Graph } from "./graph.ts";

/** The symbolic length of the batch axis. */
export const BATCH = "batch";
/** Graph input `[]`: one over the number of rows. */
export const INVERSE_COUNT = "#inverseCount";
/** Axes of `[batch, c, z, y, x]` other than the channels. */
export const ALL_BUT_CHANNELS: readonly number[] = [0, 2, 3, 4];

/** Where the statistics come from and whether there is noise: running and none, of the batch and none, of the batch and noise. */
export type Mode = "infer" | "calibrate" | "train";

/** What a layer gives: `base`, or `base` times `scale` plus `shift` for each channel when `affine` is set. */
export interface Value {
  readonly base: string;
  /** Without the batch axis. */
  readonly shape: readonly number[];
  /** Vectors `[c]`. */
  readonly affine?: { readonly scale: string; readonly shift: string };
}

/** A summand of the gradient of a layer's output. */
export interface Contribution {
  /** Makes the summand as a tensor `[batch, ...shape]`, times `scale` plus `shift` per channel (vectors `[c]`) when they are given. */
  dense?(scale?: string, shift?: string): string;
  /** The summand is zero but at one voxel a channel: `indices` into the flat volume, `values` and the base's value there; `[batch, c, 1]`. */
  readonly sparse?: { readonly indices: string; readonly values: string; readonly peaks: string };
  /** Sums over all but channels `[c]` of the summand and of its product with the base, where they are known without reading it. */
  readonly sums?: { readonly total: string; readonly withBase: string };
}

/** A layer's nodes. `backward` gets the summands of its output's gradient. */
export interface Emitted {
  readonly value: Value;
  backward?(contributions: readonly Contribution[]): void;
}

/** Emits one kind of layer. */
export type Emitter<Op extends Layer["op"]> = (pass: Pass, layer: Extract<Layer, { op: Op }>) => Emitted;

/** Emitters by operator. */
export type Emitters = { readonly [Op in Layer["op"]]: Emitter<Op> };

/** Nodes of one pass under construction. */
export class Pass {
  readonly graph: Graph;
  readonly network: NetworkShapes;
  readonly mode: Mode;
  /** Batch norms met, with the mean and mean square `[c]` of their inputs in this batch. */
  readonly statistics: { readonly layer: string; readonly mean: string; readonly meanSquare: string; readonly variance: string }[] = [];
  /** Gradients by parameter name, after {@linkcode backward}. */
  readonly gradients = new Map<string, string>();
  readonly #emitters: Emitters;
  readonly #emitted = new Map<string, Emitted>();
  readonly #dense = new Map<string, string>();
  readonly #contributions = new Map<string, Contribution[]>();
  readonly #perChannel = new Map<string, string>();
  readonly #trained: ReadonlySet<string>;
  readonly #needsGradient = new Map<string, boolean>();

  /** @param trainable Layers whose parameters need gradients; all when undefined. */
  constructor(graph: Graph, network: NetworkShapes, mode: Mode, emitters: Emitters, trainable?: readonly string[]) {
    this.graph = graph;
    this.network = network;
    this.mode = mode;
    this.#emitters = emitters;
    this.#trained = trainableLayers(network, trainable);
  }

  /** Ids of the layers that `ids` depend on, themselves included, in order. */
  ancestors(ids: readonly string[]): string[] {
    const wanted = new Set(ids);
    const order = [...this.network.layers.values()];
    for (const layer of order.toReversed()) {
      if (wanted.has(layer.id)) inputsOf(layer).forEach((id) => wanted.add(id));
    }
    return order.filter((layer) => wanted.has(layer.id)).map((layer) => layer.id);
  }

  /** Emits `ids` and all that they depend on. */
  forward(ids: readonly string[]): void {
    for (const id of this.ancestors(ids)) {
      const layer = this.network.layers.get(id)!;
      // The table pairs each operator with its own emitter; TypeScript cannot follow the pairing through an index.
      const emit = this.#emitters[layer.op] as Emitter<Layer["op"]>;
      this.#emitted.set(id, emit(this, layer));
    }
  }

  /** Emits the gradients of every trained parameter, given that of the prediction. */
  backward(prediction: string, gradient: string): void {
    this.contribute(prediction, tensorContribution(this, gradient));
    for (const id of [...this.#emitted.keys()].toReversed()) {
      const contributions = this.#contributions.get(id);
      if (contributions && this.needsGradient(id)) this.#emitted.get(id)!.backward?.(contributions);
    }
  }

  /** What layer `id` gave. */
  value(id: string): Value {
    return this.#emitted.get(id)!.value;
  }

  /** What layer `id` gave, as a tensor with its batch norm carried out. */
  dense(id: string): string {
    const { base, affine } = this.value(id);
    if (!affine) return base;
    let tensor = this.#dense.get(id);
    if (!tensor) {
      const scaled = this.graph.node("Mul", [base, this.perChannel(affine.scale)]);
      tensor = this.graph.node("Add", [scaled, this.perChannel(affine.shift)]);
      this.#dense.set(id, tensor);
    }
    return tensor;
  }

  /** A vector `[c]` as `[c, 1, 1, 1]`, which broadcasts along channels. */
  perChannel(vector: string): string {
    let tensor = this.#perChannel.get(vector);
    if (!tensor) {
      tensor = this.graph.node("Reshape", [vector, this.graph.integers([-1, 1, 1, 1])]);
      this.#perChannel.set(vector, tensor);
    }
    return tensor;
  }

  /** Whether the parameters of layer `id` are trained. */
  trains(id: string): boolean {
    return this.mode === "train" && this.#trained.has(id);
  }

  /** Whether anything trained lies at or before layer `id`. */
  needsGradient(id: string): boolean {
    let needs = this.#needsGradient.get(id);
    if (needs === undefined) {
      needs = this.trains(id) || inputsOf(this.network.layers.get(id)!).some((input) => this.needsGradient(input));
      this.#needsGradient.set(id, needs);
    }
    return needs;
  }

  /** Adds a summand to the gradient of layer `id`'s output; dropped when nothing before it is trained. */
  contribute(id: string, contribution: Contribution): void {
    if (!this.needsGradient(id)) return;
    const known = this.#contributions.get(id);
    if (known) known.push(contribution);
    else this.#contributions.set(id, [contribution]);
  }

  /** The sum of all summands as one tensor shaped like `like`. */
  sum(contributions: readonly Contribution[], like: Value): string {
    let total = "";
    for (const { dense } of contributions) {
      if (dense) total = total ? this.graph.node("Add", [total, dense()]) : dense();
    }
    total ||= this.graph.node("Mul", [like.base, this.graph.scalar(0)]);
    return this.scatter(total, contributions, like.shape);
  }

  /** Adds the sparse summands, times `scale` `[c]` when given, to `total`. */
  scatter(total: string, contributions: readonly Contribution[], shape: readonly number[], scale?: string): string {
    const { graph } = this;
    const sparse = contributions.filter((contribution) => contribution.sparse);
    if (sparse.length === 0) return total;
    let flat = graph.node("Reshape", [total, graph.integers([0, shape[0], -1])]);
    for (const { sparse: { indices, values } = { indices: "", values: "" } } of sparse) {
      const added = scale ? graph.node("Mul", [values, graph.node("Reshape", [scale, graph.integers([-1, 1])])]) : values;
      flat = graph.nodes("ScatterElements", [flat, indices, added], { axis: 2, reduction: "add" }, 1)[0];
    }
    return graph.node("Reshape", [flat, graph.integers([-1, ...shape])]);
  }
}

/** A summand that is a tensor already. */
export function tensorContribution(pass: Pass, tensor: string): Contribution {
  return {
    dense(scale, shift) {
      const scaled = scale ? pass.graph.node("Mul", [tensor, pass.perChannel(scale)]) : tensor;
      return shift ? pass.graph.node("Add", [scaled, pass.perChannel(shift)]) : scaled;
    },
  };
}
