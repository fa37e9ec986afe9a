/**
 * Batch normalisation as graph nodes.
 * @module
 */
import { ALL_BUT_CHANNELS, type Contribution, type Emitter, INVERSE_COUNT, type Pass, type Value } from "./pass.ts";
import { sizeOf } from "../shapes.ts";

/**
 * Batch norm over every axis but channels, as a scale and a shift per channel: scale = gamma / sqrt(variance + epsilon), shift = beta - mean
 * scale. Volumes hand both on undone; vectors `[c]` are small and are normalised at once.
 */
export const emitBatchNorm: Emitter<"batchNorm"> = (pass, layer) => {
  const { graph } = pass;
  const { id, from } = layer;
  const input = pass.value(from);
  const tensor = pass.dense(from);
  const isVolume = input.shape.length === 4;
  const axes = graph.integers(isVolume ? ALL_BUT_CHANNELS : [0]);

  let [mean, variance] = [`${id}.mean`, `${id}.variance`];
  if (pass.mode !== "infer") {
    mean = graph.node("ReduceMean", [tensor, axes], { keepdims: 0 });
    const meanSquare = graph.node("ReduceMean", [graph.node("Mul", [tensor, tensor]), axes], { keepdims: 0 });
    variance = graph.node("Relu", [graph.node("Sub", [meanSquare, graph.node("Mul", [mean, mean])])]);
    pass.statistics.push({ layer: id, mean, meanSquare, variance });
  }
  const deviation = graph.node("Sqrt", [graph.node("Add", [variance, graph.scalar(layer.epsilon)])]);
  const inverse = graph.node("Reciprocal", [deviation]);
  const scale = graph.node("Mul", [`${id}.gamma`, inverse]);
  const shift = graph.node("Sub", [`${id}.beta`, graph.node("Mul", [mean, scale])]);

  const value: Value = isVolume
    ? { base: tensor, shape: input.shape, affine: { scale, shift } }
    : { base: graph.node("Add", [graph.node("Mul", [tensor, scale]), shift]), shape: input.shape };

  return {
    value,
    backward(contributions) {
      const sums = isVolume ? sumVolumes(pass, contributions, value) : sumVectors(pass, contributions, tensor, value);
      const centred = graph.node("Sub", [sums.withBase, graph.node("Mul", [mean, sums.total])]);
      const gamma = graph.node("Mul", [centred, inverse]);
      if (pass.trains(id)) {
        pass.gradients.set(`${id}.gamma`, gamma);
        pass.gradients.set(`${id}.beta`, sums.total);
      }
      if (!pass.needsGradient(from)) return;
      // d input = scale d - base slope - offset, slope = scale inverse gamma / N, offset = scale total / N - mean slope.
      const voxels = isVolume ? sizeOf(input.shape.slice(1)) : 1;
      const perRow = graph.node("Mul", [scale, graph.node("Mul", [INVERSE_COUNT, graph.scalar(1 / voxels)])]);
      const slope = graph.node("Mul", [perRow, graph.node("Mul", [inverse, gamma])]);
      const negativeOffset = graph.node("Sub", [graph.node("Mul", [mean, slope]), graph.node("Mul", [perRow, sums.total])]);
      pass.contribute(from, {
        dense(outerScale, outerShift) {
          const through = isVolume
            ? throughVolume(pass, contributions, value, { scale, slope, negativeOffset })
            : throughVector(pass, sums.given, tensor, { scale, slope, negativeOffset });
          if (!outerScale) return through;
          const scaled = graph.node("Mul", [through, isVolume ? pass.perChannel(outerScale) : outerScale]);
          return outerShift ? graph.node("Add", [scaled, isVolume ? pass.perChannel(outerShift) : outerShift]) : scaled;
        },
      });
    },
  };
};

interface Coefficients {
  readonly scale: string;
  readonly slope: string;
  readonly negativeOffset: string;
}

/** Sums `[c]` of the gradient and of its product with the base, from what the consumers know or by reading the tensors. */
function sumVolumes(pass: Pass, contributions: readonly Contribution[], value: Value) {
  const { graph } = pass;
  const sum = (tensor: string, axes: readonly number[]) => graph.node("ReduceSum", [tensor, graph.integers(axes)], { keepdims: 0 });
  const totals: string[] = [];
  const products: string[] = [];
  for (const { dense, sparse, sums } of contributions) {
    if (sums) {
      totals.push(sums.total);
      products.push(sums.withBase);
    } else if (dense) {
      const tensor = dense();
      totals.push(sum(tensor, ALL_BUT_CHANNELS));
      products.push(sum(graph.node("Mul", [tensor, value.base]), ALL_BUT_CHANNELS));
    }
    if (sparse) {
      totals.push(sum(sparse.values, [0, 2]));
      products.push(sum(graph.node("Mul", [sparse.values, sparse.peaks]), [0, 2]));
    }
  }
  const add = (tensors: string[]) => tensors.reduce((a, b) => graph.node("Add", [a, b]));
  return { total: add(totals), withBase: add(products), given: "" };
}

function sumVectors(pass: Pass, contributions: readonly Contribution[], tensor: string, value: Value) {
  const { graph } = pass;
  const given = pass.sum(contributions, value);
  const rows = graph.integers([0]);
  return {
    given,
    total: graph.node("ReduceSum", [given, rows], { keepdims: 0 }),
    withBase: graph.node("ReduceSum", [graph.node("Mul", [given, tensor]), rows], { keepdims: 0 }),
  };
}

function throughVolume(pass: Pass, contributions: readonly Contribution[], value: Value, coefficients: Coefficients): string {
  const { graph } = pass;
  const { scale, slope, negativeOffset } = coefficients;
  let total = "";
  for (const { dense } of contributions) {
    if (!dense) continue;
    total = total ? graph.node("Add", [total, dense(scale)]) : dense(scale, negativeOffset);
  }
  const correction = graph.node("Mul", [value.base, pass.perChannel(slope)]);
  total = graph.node("Sub", [total || pass.perChannel(negativeOffset), correction]);
  return pass.scatter(total, contributions, value.shape, scale);
}

function throughVector(pass: Pass, given: string, tensor: string, { scale, slope, negativeOffset }: Coefficients): string {
  const { graph } = pass;
  const scaled = graph.node("Add", [graph.node("Mul", [given, scale]), negativeOffset]);
  return graph.node("Sub", [scaled, graph.node("Mul", [tensor, slope])]);
}
