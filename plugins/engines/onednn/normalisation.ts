/**
 * Batch normalisation as primitives.
 *
 * oneDNN has a primitive for all of it, but its threads wait for each other by spinning: on a busy machine a step then took twice the processor
 * time. Here sums are means over voxels, whose rows and channels are independent, and the rest is JavaScript on `[c]` numbers.
 * @module
 */
import { ARGUMENT, BINARY, type PostOperation } from "./makers.ts";
import type { LayerOf, Pass } from "./pass.ts";
import { poolable, type Pooled, poolGlobally } from "./pooling.ts";
import type { Tensor } from "./program.ts";
import { emitVectorBatchNorm } from "./vector_normalisation.ts";

/** Batch norm over every axis but channels, with statistics of the batch, or with the running ones at inference. */
export function emitBatchNorm(pass: Pass, layer: LayerOf<"batchNorm">): void {
  const { id, from, epsilon } = layer;
  const scale = pass.vector(`${id}.gamma`), shift = pass.vector(`${id}.beta`);
  if (pass.mode === "infer") {
    const running = [pass.vector(`${id}.mean`), pass.vector(`${id}.variance`)] as const;
    return pass.define(id, normalise(pass, pass.value(from), epsilon, running, scale, shift));
  }
  if (pass.value(from).shape.length === 2) return emitVectorBatchNorm(pass, layer);

  const input = poolable(pass, pass.value(from));
  const [count, channels, ...axes] = input.shape;
  const voxels = axes.reduce((product, axis) => product * axis, 1);
  const [mean, variance] = [pass.numbers(channels), pass.numbers(channels)];
  pass.statistics.push({ layer: id, mean: mean.array, variance: variance.array });
  const centre = broadcast(pass, input);
  const means = poolGlobally(pass, "mean", input);
  pass.program.call([means.tensor], (values) => {
    meanOverRows(values, means, mean.array);
    centre.array.set(mean.array);
  });
  const squares = pass.program.temporary(input.shape, input.descriptor);
  combine(pass, BINARY.subtract, input, centre.tensor, squares, [{ kind: "square", alpha: 0, beta: 0 }]);
  const variances = poolGlobally(pass, "mean", squares);
  pass.program.call([variances.tensor], (values) => meanOverRows(values, variances, variance.array));
  const value = normalise(pass, input, epsilon, [mean.tensor, variance.tensor], scale, shift);
  pass.define(id, value);

  pass.backward(() => {
    const given = pass.gradient(id, value.descriptor);
    if (!given) return;
    const products = pass.program.temporary(input.shape, input.descriptor);
    combine(pass, BINARY.multiply, input, given, products, []);
    const [totals, withInput] = [poolGlobally(pass, "mean", given), poolGlobally(pass, "mean", products)];
    const factor = broadcast(pass, input);
    const [slope, offset] = [pass.numbers(channels), pass.numbers(channels)];
    const [total, product] = [new Float32Array(channels), new Float32Array(channels)];
    // The gradients of scale and shift are by-products: where they are not wanted they go nowhere.
    const [scaleGradient, shiftGradient] = pass.trains(id)
      ? [pass.vectorGradient(`${id}.gamma`), pass.vectorGradient(`${id}.beta`)]
      : [pass.numbers(channels).tensor, pass.numbers(channels).tensor];
    pass.program.call([totals.tensor, withInput.tensor, scale, scaleGradient, shiftGradient], (sums, mixed, gamma, dGamma, dBeta) => {
      meanOverRows(sums, totals, total);
      meanOverRows(mixed, withInput, product);
      for (let c = 0; c < channels; c++) {
        const inverse = 1 / Math.sqrt(variance.array[c] + epsilon);
        // Means over rows and voxels of the gradient, and of the gradient times the normalised input.
        const along = inverse * (product[c] - mean.array[c] * total[c]);
        dGamma[c] = along * count * voxels;
        dBeta[c] = total[c] * count * voxels;
        // d input = gamma inverse (d - mean of d - normalised input times `along`).
        factor.array[c] = gamma[c] * inverse;
        slope.array[c] = -gamma[c] * inverse * inverse * along;
        offset.array[c] = -mean.array[c] * slope.array[c] - gamma[c] * inverse * total[c];
      }
    });
    if (!pass.needsGradient(from)) return;
    // Statistics of 0 and 1 make a batch norm a product and a sum for each channel.
    const plain = [pass.numbers(channels, 0).tensor, pass.numbers(channels, 1 - epsilon).tensor] as const;
    const gradient = normalise(pass, input, epsilon, plain, slope.tensor, offset.tensor);
    combine(pass, BINARY.multiply, given, factor.tensor, gradient, [{ kind: "sum", scale: 1 }]);
    pass.contribute(from, gradient);
  });
}

/** scale (input - mean) / sqrt(variance + epsilon) + shift. */
function normalise(
  { runtime, program }: Pass,
  input: Tensor,
  epsilon: number,
  [mean, variance]: readonly [Tensor, Tensor],
  scale: Tensor,
  shift: Tensor,
): Tensor {
  const value = program.temporary(input.shape, input.descriptor);
  program.execute(program.keep(runtime.makers.batchNorm(input.descriptor, epsilon)), [
    [ARGUMENT.source, input],
    [ARGUMENT.mean, mean],
    [ARGUMENT.variance, variance],
    [ARGUMENT.scale, scale],
    [ARGUMENT.shift, shift],
    [ARGUMENT.destination, value],
  ]);
  return value;
}

function combine(
  { runtime: { makers }, program }: Pass,
  kind: number,
  a: Tensor,
  b: Tensor,
  result: Tensor,
  after: readonly PostOperation[],
) {
  const attributes = after.length > 0 ? program.keepAttributes(makers.attributes(after)) : null;
  const primitive = program.keep(makers.binary(kind, a.descriptor, b.descriptor, result.descriptor, attributes));
  program.execute(primitive, [[ARGUMENT.source, a], [ARGUMENT.secondSource, b], [ARGUMENT.destination, result]]);
}

/** Numbers `[c]` that are the same for all rows and voxels of a volume; the library wants them in the volume's own layout. */
function broadcast(pass: Pass, volume: Tensor): { readonly array: Float32Array; readonly tensor: Tensor } {
  const shape = [1, volume.shape[1], 1, 1, 1];
  const descriptor = pass.describe(shape, pass.layoutOf(shape, pass.blockOf(volume)!));
  const array = new Float32Array(pass.runtime.bytes(descriptor) / 4);
  return { array, tensor: pass.program.fixed(shape, descriptor, array) };
}

function meanOverRows(values: Float32Array, { tensor: { shape: [count] }, stride }: Pooled, mean: Float32Array): void {
  for (let c = 0; c < mean.length; c++) {
    let sum = 0;
    for (let row = 0; row < count; row++) sum += values[row * stride + c];
    mean[c] = sum / count;
  }
}
