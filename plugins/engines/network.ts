/**
 * Networks as data, and what an engine must do with them. No tensor library is named here.
 *
 * Logical layout of every array that crosses this border is channels first, row-major: activations `[n, c, z, y, x]`, convolution weights
 * `[out, in, kz, ky, kx]`, dense weights `[in, out]`. An engine may keep another layout inside.
 * @module
 */

/** A layer reads the layers named in `from`; `id` is unique. Shapes leave out the batch axis. */
export type Layer =
  & { readonly id: string }
  & (
    | { readonly op: "input"; readonly shape: readonly number[] }
    /** Multiplies by the input `noise` (mean 1, made by kernels/random) while training; identity otherwise. */
    | { readonly op: "gaussianDropout"; readonly from: string; readonly noise: string }
    /** Kernel k^3, stride 1. `padding` "valid" or "same". Weight `id.weight` [out, in, k, k, k], `id.bias` [out]. */
    | {
      readonly op: "conv3d";
      readonly from: string;
      readonly channels: number;
      readonly kernel: number;
      readonly padding: "valid" | "same";
    }
    | { readonly op: "elu"; readonly from: string }
    | { readonly op: "sigmoid"; readonly from: string }
    /** Over every axis but channels. `id.gamma`, `id.beta`, running `id.mean`, `id.variance` [c]; momentum is that of the running statistics. */
    | { readonly op: "batchNorm"; readonly from: string; readonly momentum: number; readonly epsilon: number }
    /** [c, z, y, x] -> [c]. The gradient goes to the first maximum. */
    | { readonly op: "globalMaxPool"; readonly from: string }
    /** Along channels. */
    | { readonly op: "concat"; readonly from: readonly string[] }
    /** [in] -> [units]. `id.weight` [in, units], `id.bias` [units]. */
    | { readonly op: "dense"; readonly from: string; readonly units: number }
    /** Nearest neighbour, integer factor. */
    | { readonly op: "upsample3d"; readonly from: string; readonly factor: number }
    | { readonly op: "reshape"; readonly from: string; readonly shape: readonly number[] }
  );

/** What is minimised: the mean over the batch. Targets come as `[n, units]` (or the prediction's shape for `meanSquared`). */
export interface Loss {
  readonly kind: "softmaxCrossEntropy" | "softmaxCategoricalHinge" | "meanSquared";
  readonly prediction: string;
}

/** Keras's Nadam with its momentum schedule (schedule decay 0.004), learning rate given a step. */
export interface Optimiser {
  readonly kind: "nadam";
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

/** A network, its loss and its optimiser, as data. */
export interface NetworkSpec {
  readonly layers: readonly Layer[];
  /** Layers that `infer` may ask for. */
  readonly outputs: readonly string[];
  readonly loss?: Loss;
  readonly optimiser?: Optimiser;
}

/** Weights, moments, step count and batch-norm statistics by name: `conv1.weight`, `conv1.weight:m`, `conv1.weight:v`, `bn1.mean`. */
export interface NetworkState {
  readonly step: number;
  /** Running product of Nadam's momentum schedule. */
  readonly momentumProduct: number;
  readonly arrays: Readonly<Record<string, { readonly shape: readonly number[]; readonly values: Float32Array }>>;
}

/** Named input arrays of one batch, `[count, ...shape]`. Ownership moves to the engine: the buffers may be detached. */
export type Feed = Readonly<Record<string, Float32Array>>;

/** A compiled network. Calls are queued and run one at a time. */
export interface Network {
  readonly spec: NetworkSpec;
  /** Forward pass with running statistics and no noise. Row i does not depend on the other rows. */
  infer(inputs: Feed, count: number, outputs: readonly string[]): Promise<Record<string, Float32Array>>;
  /**
   * One step: forward with batch statistics, backward, optimiser. Only parameters whose layer id is in `trainable` (default: all) change.
   * @returns The loss; from an engine in a worker, also how long that was at work.
   */
  trainStep(
    inputs: Feed,
    targets: Float32Array,
    count: number,
    learningRate: number,
    trainable?: readonly string[],
  ): Promise<{ readonly loss: number; readonly milliseconds?: number }>;
  /** Loss and gradients without an update, for parity tests. */
  gradients(
    inputs: Feed,
    targets: Float32Array,
    count: number,
  ): Promise<{ readonly loss: number; readonly gradients: Record<string, Float32Array> }>;
  /** Replaces running batch-norm statistics by averages over the batches given since the last `first: true`. */
  calibrate(inputs: Feed, count: number, first: boolean): Promise<void>;
  state(): Promise<NetworkState>;
  setState(state: NetworkState): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Compute: runs networks and matrix products in one dedicated Worker. */
export interface Engine {
  readonly name: string;
  readonly device: "cpu" | "gpu";
  readonly precision: "float32" | "bfloat16" | "float16" | "float64";
  /** Compiles with `initial` weights (see `kernels/initialise.ts`). */
  compile(spec: NetworkSpec, initial: NetworkState): Promise<Network>;
  /** `a` [m, k] times `b` [k, n] -> [m, n], row-major float32; `transposeA`: a is [k, m]; `transposeB`: b is [n, k]. */
  matmul(
    a: Float32Array,
    b: Float32Array,
    size: { readonly m: number; readonly k: number; readonly n: number },
    options?: { readonly transposeA?: boolean; readonly transposeB?: boolean },
  ): Promise<Float32Array>;
  [Symbol.asyncDispose](): Promise<void>;
}
