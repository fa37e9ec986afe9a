/**
 * What both versions of oneDNN can do for this engine, said once. Descriptors of memory and of primitives are pointers; those of queries live as
 * long as the primitive descriptor that was asked.
 * @module
 */

/** A pointer that is not null. */
export type Pointer = Deno.PointerObject;

/** Data types (`dnnl_data_type_t`). */
export const TYPE = { bfloat16: 2, float32: 3 } as const;
/** Kinds of element by element operations with two inputs (`dnnl_alg_kind_t`): the same in both versions. */
export const BINARY = { add: 0x1fff0, multiply: 0x1fff1, divide: 0x1fff4, subtract: 0x1fff5 } as const;
/** Kinds of pooling: the same in both versions. */
export const POOLING = { maximum: 0x1ff, mean: 0x2ff } as const;
/** Names of operations on one input. The gradients of `elu` and `logistic` are found from the output. */
export type EltwiseKind = "elu" | "logistic" | "sqrt" | "square" | "linear";

/** Which argument of a primitive a memory is (`DNNL_ARG_*`): the same in both versions,. */
export const ARGUMENT = {
  source: 1,
  secondSource: 2,
  destination: 17,
  weights: 33,
  bias: 41,
  mean: 49,
  variance: 50,
  scale: 51,
  shift: 52,
  workspace: 64,
  diffSource: 129,
  diffDestination: 145,
  diffWeights: 161,
  diffBias: 169,
  diffScale: 255,
  diffShift: 256,
} as const;

/** What a primitive descriptor can be asked for (`dnnl_query_t`): the same in both versions. */
export const QUERY = {
  implementation: 8,
  source: 129,
  diffSource: 130,
  weights: 131,
  diffWeights: 132,
  destination: 133,
  diffDestination: 134,
  workspace: 135,
} as const;

/** How a tensor lies in memory: as the library likes, in blocks of channels, or with strides in numbers. */
export type Layout = "any" | "block8" | "block16" | readonly number[];

/** Applied to a result, in order, before it is stored. */
export type PostOperation =
  /** Adds what was in the destination before, times `scale`. */
  | { readonly kind: "sum"; readonly scale: number }
  | { readonly kind: EltwiseKind; readonly alpha: number; readonly beta: number };

/** Makes descriptors. Every function throws when the library refuses. */
export interface Makers {
  /** `dims` [n, c] or [n, c, z, y, x] (weights: [out, in] or [out, in, z, y, x]). Kept until the engine is closed. */
  describe(dims: readonly number[], type: number, layout: Layout): Pointer;
  /** Attributes with post-operations; the caller destroys them. */
  attributes(operations: readonly PostOperation[]): Pointer;

  convolutionForward(src: Pointer, weights: Pointer, bias: Pointer, dst: Pointer, padding: number, attributes: Pointer | null): Pointer;
  convolutionBackwardData(diffSrc: Pointer, weights: Pointer, diffDst: Pointer, padding: number, hint: Pointer): Pointer;
  convolutionBackwardWeights(
    src: Pointer,
    diffWeights: Pointer,
    diffBias: Pointer,
    diffDst: Pointer,
    padding: number,
    hint: Pointer,
  ): Pointer;
  eltwiseForward(kind: EltwiseKind, data: Pointer, attributes: Pointer | null): Pointer;
  eltwiseBackward(kind: EltwiseKind, data: Pointer, hint: Pointer): Pointer;
  /** With statistics, scale and shift that are given. */
  batchNorm(data: Pointer, epsilon: number): Pointer;
  pool(kind: number, src: Pointer, dst: Pointer, kernelZyx: readonly number[]): Pointer;
  /** Nearest neighbour. */
  upsampleForward(src: Pointer, dst: Pointer): Pointer;
  upsampleBackward(diffSrc: Pointer, diffDst: Pointer, hint: Pointer): Pointer;
  innerProductForward(src: Pointer, weights: Pointer, bias: Pointer, dst: Pointer): Pointer;
  innerProductBackwardData(diffSrc: Pointer, weights: Pointer, diffDst: Pointer, hint: Pointer): Pointer;
  innerProductBackwardWeights(src: Pointer, diffWeights: Pointer, diffBias: Pointer, diffDst: Pointer, hint: Pointer): Pointer;
  matmul(src: Pointer, weights: Pointer, dst: Pointer): Pointer;
  binary(kind: number, a: Pointer, b: Pointer, dst: Pointer, attributes: Pointer | null): Pointer;
  reorder(from: Pointer, to: Pointer): Pointer;

  /** Frees what `describe` made. */
  close(): void;
}

/** A list of lengths as the library reads it. */
export function lengths(values: readonly number[]): BigInt64Array<ArrayBuffer> {
  return BigInt64Array.from(values, BigInt);
}
