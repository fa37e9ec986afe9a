/**
 * Batch normalisation of vectors: a few numbers a row, so plain JavaScript in float64.
 * @module
 */
import type { LayerOf, Pass } from "./pass.ts";

/** Batch norm of `[n, c]` with statistics of the batch. */
export function emitVectorBatchNorm(pass: Pass, { id, from, epsilon }: LayerOf<"batchNorm">): void {
  const { program, count } = pass;
  const input = pass.plain(pass.value(from));
  const channels = input.shape[1];
  const [mean, variance] = [pass.numbers(channels).array, pass.numbers(channels).array];
  pass.statistics.push({ layer: id, mean, variance });
  const [scale, shift] = [pass.vector(`${id}.gamma`), pass.vector(`${id}.beta`)];
  const value = program.temporary(input.shape, input.descriptor);
  program.call([input, scale, shift, value], (values, gamma, beta, normal) => {
    for (let c = 0; c < channels; c++) {
      let [sum, square] = [0, 0];
      for (let i = c; i < count * channels; i += channels) sum += values[i];
      for (let i = c; i < count * channels; i += channels) square += (values[i] - sum / count) ** 2;
      [mean[c], variance[c]] = [sum / count, square / count];
      const factor = gamma[c] / Math.sqrt(square / count + epsilon);
      for (let i = c; i < count * channels; i += channels) normal[i] = (values[i] - sum / count) * factor + beta[c];
    }
  });
  pass.define(id, value);

  pass.backward(() => {
    const given = pass.gradient(id, value.descriptor);
    if (!given) return;
    const [scaleGradient, shiftGradient] = pass.trains(id)
      ? [pass.vectorGradient(`${id}.gamma`), pass.vectorGradient(`${id}.beta`)]
      : [pass.numbers(channels).tensor, pass.numbers(channels).tensor];
    program.call([input, scale, given, scaleGradient, shiftGradient], (values, gamma, gradient, dGamma, dBeta) => {
      for (let c = 0; c < channels; c++) {
        const inverse = 1 / Math.sqrt(variance[c] + epsilon);
        let [total, along] = [0, 0];
        for (let i = c; i < count * channels; i += channels) {
          total += gradient[i];
          along += gradient[i] * (values[i] - mean[c]) * inverse;
        }
        [dGamma[c], dBeta[c]] = [along, total];
        for (let i = c; i < count * channels; i += channels) {
          gradient[i] = gamma[c] * inverse * (gradient[i] - total / count - (values[i] - mean[c]) * inverse * along / count);
        }
      }
    });
    pass.contribute(from, given);
  });
}
