/**
 * Batch normalisation as a primitive.
 * @module
 */
import { ARGUMENT } from "./makers.ts";
import type { LayerOf, Pass } from "./pass.ts";

/** Batch norm over every axis but channels, with statistics of the batch, or with the running ones at inference. */
export function emitBatchNorm(pass: Pass, layer: LayerOf<"batchNorm">): void {
  const { runtime: { makers }, program } = pass;
  const { id, from, epsilon } = layer;
  const input = pass.value(from);
  const value = program.temporary(input.shape, input.descriptor);
  const given = pass.mode === "infer";
  const channels = input.shape[1];
  const statistics = () => {
    const array = new Float32Array(channels);
    return { array, tensor: program.fixed([channels], pass.describe([channels], [1]), array) };
  };
  let [mean, variance] = [pass.vector(`${id}.mean`), pass.vector(`${id}.variance`)];
  if (!given) {
    const [means, variances] = [statistics(), statistics()];
    [mean, variance] = [means.tensor, variances.tensor];
    pass.statistics.push({ layer: id, mean: means.array, variance: variances.array });
  }
  const [scale, shift] = [pass.vector(`${id}.gamma`), pass.vector(`${id}.beta`)];
  const forward = program.keep(makers.batchNormForward(input.descriptor, epsilon, given));
  program.execute(forward, [
    [ARGUMENT.source, input],
    [ARGUMENT.mean, mean],
    [ARGUMENT.variance, variance],
    [ARGUMENT.scale, scale],
    [ARGUMENT.shift, shift],
    [ARGUMENT.destination, value],
  ]);
  pass.define(id, value);

  pass.backward(() => {
    const gradient = pass.gradient(id, value.descriptor);
    if (!gradient) return;
    // The gradients of scale and shift are by-products: where they are not wanted they go nowhere.
    const [scaleGradient, shiftGradient] = pass.trains(id)
      ? [pass.vectorGradient(`${id}.gamma`), pass.vectorGradient(`${id}.beta`)]
      : [statistics().tensor, statistics().tensor];
    const backward = program.keep(makers.batchNormBackward(value.descriptor, epsilon, forward));
    program.execute(backward, [
      [ARGUMENT.source, input],
      [ARGUMENT.mean, mean],
      [ARGUMENT.variance, variance],
      [ARGUMENT.scale, scale],
      ...makers.batchNormBackwardTakesShift ? [[ARGUMENT.shift, shift] as const] : [],
      [ARGUMENT.diffDestination, gradient],
      [ARGUMENT.diffSource, gradient],
      [ARGUMENT.diffScale, scaleGradient],
      [ARGUMENT.diffShift, shiftGradient],
    ]);
    pass.contribute(from, gradient);
  });
}
