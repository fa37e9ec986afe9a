/**
 * One pass through a network as graph nodes: forward layer by layer, then backward by the chain rule.
 *
 * Vectors keep the logical layout `[batch, c]`; volumes are kept in {@linkcode Planes}, but for those that are fed in, which stay `raw`. The
 * length of the batch is known only when the graph runs. A batch norm is not carried out where it stands but handed on as a scale and a shift
 * per channel (see {@linkcode Value}): convolutions take them into their weights and the global maximum into its result, which saves a pass
 * over the largest tensors in both directions.
 * @module
 */
import type { Layer } from "../network.ts";
import { inputsOf, type NetworkShapes, trainableLayers } from "../shapes.ts";
import type { Graph } from "./graph.ts";
import { Planes } from "./planes.ts";

/** The symbolic length of the batch axis. */
export const BATCH = "batch";
/** Graph input `[]`: one over the number of rows. */
export const INVERSE_COUNT = "#inverseCount";

/** Where the statistics come from and whether there is noise: running and none, of the batch and none, of the batch and noise. */
export type Mode = "infer" | "calibrate" | "train";

/** A layer of one kind. */
export type LayerOf<Op extends Layer["op"]> = Extract<Layer, { readonly op: Op }>;

/** A scale and a shift per channel, vectors `[c]`. */
export interface Affine {
  readonly scale: string;
  readonly shift: string;
}

/** What a layer gives: `tensor`, or `tensor` times a scale plus a shift when `affine` is set. */
export interface Value {
  readonly tensor: string;
  /** Without the batch axis. */
  readonly shape: readonly number[];
  /** A volume in the logical layout `[batch, c, z, y, x]`. Nothing before it is trained. */
  readonly raw?: boolean;
  readonly affine?: Affine;
}

/** A summand of the gradient of a layer's output, in the layout of its value. */
export interface Contribution {
  /** Makes the summand as a tensor, times `scale` plus `shift` per channel (vectors `[c]`) when they are given. */
  dense?(scale?: string, shift?: string): string;
  /** The summand is zero but at one voxel a channel: positions as {@linkcode Planes.largest} gives them, `values`, and the value's tensor there. */
  readonly sparse?: { readonly indices: string; readonly values: string; readonly peaks: string };
  /** Sums over all but channels `[c]` of the summand and of its product with the value's tensor, where they are known without reading it. */
  readonly sums?: { readonly total: string; readonly withBase: string };
}

/** A layer's nodes. `backward` gets the summands of its output's gradient. */
export interface Emitted {
  readonly value: Value;
  backward?(contributions: readonly Contribution[]): void;
}

/** Emitters by operator. */
export type Emitters = { readonly [Op in Layer["op"]]: (pass: Pass, layer: LayerOf<Op>) => Emitted };

/** Statistics `[c]` of a batch norm's input in this batch. */
export interface Statistics {
  readonly layer: string;
  readonly mean: string;
  readonly meanSquare: string;
  readonly variance: string;
}

/** Nodes of one pass under construction. */
export class Pass {
  readonly graph: Graph;
  readonly planes: Planes;
  readonly network: NetworkShapes;
  readonly mode: Mode;
  /** Of every batch norm met, unless the mode is `infer`. */
  readonly statistics: Statistics[] = [];
  /** Gradients by parameter name, after {@linkcode backward}. */
  readonly gradients: Map<string, string> = new Map();
  readonly #emitters: Emitters;
  readonly #emitted = new Map<string, Emitted>();
  readonly #made = new Map<string, string>();
  readonly #contributions = new Map<string, Contribution[]>();
  readonly #trained: ReadonlySet<string>;
  readonly #needsGradient = new Map<string, boolean>();

  /**
   * @param block Channels that lie together, see {@linkcode Planes}.
   * @param trainable Layers whose parameters need gradients; all when undefined.
   */
  constructor(graph: Graph, network: NetworkShapes, mode: Mode, emitters: Emitters, block: number, trainable?: readonly string[]) {
    this.graph = graph;
    this.planes = new Planes(graph, block);
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
      const emit = this.#emitters[layer.op] as (pass: Pass, layer: Layer) => Emitted;
      this.#emitted.set(id, emit(this, layer));
    }
  }

  /** Emits the gradients of every trained parameter, given that of the prediction in the logical layout. */
  backward(prediction: string, gradient: string): void {
    const { shape, raw } = this.value(prediction);
    const own = shape.length === 4 && !raw ? this.planes.from(gradient, shape) : gradient;
    this.contribute(prediction, this.contribution(prediction, own));
    for (const id of [...this.#emitted.keys()].toReversed()) {
      const contributions = this.#contributions.get(id);
      if (contributions && this.needsGradient(id)) this.#emitted.get(id)!.backward?.(contributions);
    }
  }

  /** What layer `id` gave. */
  value(id: string): Value {
    return this.#emitted.get(id)!.value;
  }

  /** What layer `id` gave with its batch norm carried out, in its own layout. */
  tensor(id: string): string {
    const { tensor, shape, affine } = this.value(id);
    if (!affine) return tensor;
    return this.#once(`tensor ${id}`, () => {
      const scaled = this.graph.node("Mul", [tensor, this.perChannel(affine.scale, shape)]);
      return this.graph.node("Add", [scaled, this.perChannel(affine.shift, shape)]);
    });
  }

  /** What layer `id` gave with its batch norm carried out, in the logical layout. */
  plain(id: string): string {
    const { shape, raw } = this.value(id);
    if (raw || shape.length !== 4) return this.tensor(id);
    return this.#once(`plain ${id}`, () => this.planes.toVolume(this.tensor(id), shape));
  }

  /** As {@linkcode tensor}, and a raw volume becomes planes. */
  asPlanes(id: string): string {
    const { shape, raw } = this.value(id);
    return raw ? this.#once(`planes ${id}`, () => this.planes.from(this.tensor(id), shape)) : this.tensor(id);
  }

  /** A vector `[c]` in a shape that broadcasts along the channels of planes (or of vectors) of this shape. */
  perChannel(vector: string, shape: readonly number[]): string {
    return shape.length === 1 ? vector : this.#once(`tile ${vector} ${shape}`, () => this.planes.tile(vector, shape));
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

  /** A summand of the gradient of layer `id`'s output that is a tensor already, in that layer's layout. */
  contribution(id: string, tensor: string): Contribution {
    const shape = this.network.shapes.get(id)!;
    return {
      dense: (scale, shift) => {
        const scaled = scale ? this.graph.node("Mul", [tensor, this.perChannel(scale, shape)]) : tensor;
        return shift ? this.graph.node("Add", [scaled, this.perChannel(shift, shape)]) : scaled;
      },
    };
  }

  /** The sum of all summands as one tensor in the layout of `like`. */
  sum(contributions: readonly Contribution[], like: Value): string {
    let total = "";
    for (const { dense } of contributions) {
      if (dense) total = total ? this.graph.node("Add", [total, dense()]) : dense();
    }
    total ||= this.graph.node("Mul", [like.tensor, this.graph.scalar(0)]);
    return this.scatter(total, contributions, like.shape);
  }

  /** Adds the sparse summands, times `scale` `[c]` when given, to planes `total`. */
  scatter(total: string, contributions: readonly Contribution[], shape: readonly number[], scale?: string): string {
    let sum = total;
    for (const { sparse } of contributions) {
      if (!sparse) continue;
      const added = scale ? this.graph.node("Mul", [sparse.values, scale]) : sparse.values;
      sum = this.planes.scatter(sum, shape, sparse.indices, added);
    }
    return sum;
  }

  #once(key: string, make: () => string): string {
    let tensor = this.#made.get(key);
    if (!tensor) this.#made.set(key, tensor = make());
    return tensor;
  }
}
