/**
 * Batch normalisation as graph nodes.
 * @module
 */
import { sizeOf } from "../shapes.ts";
import { type Contribution, type Emitted, INVERSE_COUNT, type LayerOf, type Pass, type Value } from "./pass.ts";

/**
 * Batch norm over every axis but channels, as a scale and a shift per channel: scale = gamma / sqrt(variance + epsilon), shift = beta - mean
 * scale. Volumes hand both on undone; vectors `[c]` are small and are normalised at once.
 */
export function emitBatchNorm(pass: Pass, layer: LayerOf<"batchNorm">): Emitted {
  const { graph } = pass;
  const { id, from } = layer;
  const { shape } = pass.value(from);
  const tensor = pass.asPlanes(from);

  let [mean, variance] = [`${id}.mean`, `${id}.variance`];
  if (pass.mode !== "infer") {
    mean = overRows(pass, "Mean", tensor, shape);
    const meanSquare = overRows(pass, "Mean", graph.node("Mul", [tensor, tensor]), shape);
    variance = graph.node("Relu", [graph.node("Sub", [meanSquare, graph.node("Mul", [mean, mean])])]);
    pass.statistics.push({ layer: id, mean, meanSquare, variance });
  }
  const inverse = graph.node("Reciprocal", [graph.node("Sqrt", [graph.node("Add", [variance, graph.scalar(layer.epsilon)])])]);
  const scale = graph.node("Mul", [`${id}.gamma`, inverse]);
  const shift = graph.node("Sub", [`${id}.beta`, graph.node("Mul", [mean, scale])]);

  const value: Value = shape.length === 4
    ? { tensor, shape, affine: { scale, shift } }
    : { tensor: graph.node("Add", [graph.node("Mul", [tensor, scale]), shift]), shape };
  // What gradients are multiplied with to find that of gamma: the input, normalised or not.
  const base: Value = { tensor, shape };

  return {
    value,
    backward(contributions) {
      const { total, withBase } = sumContributions(pass, contributions, base);
      const gamma = graph.node("Mul", [graph.node("Sub", [withBase, graph.node("Mul", [mean, total])]), inverse]);
      if (pass.trains(id)) {
        pass.gradients.set(`${id}.gamma`, gamma);
        pass.gradients.set(`${id}.beta`, total);
      }
      if (!pass.needsGradient(from)) return;
      // d input = scale d - input slope - offset, slope = scale inverse gamma / N, offset = scale total / N - mean slope.
      const perRow = graph.node("Mul", [scale, graph.node("Mul", [INVERSE_COUNT, graph.scalar(1 / sizeOf(shape.slice(1)))])]);
      const slope = graph.node("Mul", [perRow, graph.node("Mul", [inverse, gamma])]);
      const shiftBack = graph.node("Sub", [graph.node("Mul", [mean, slope]), graph.node("Mul", [perRow, total])]);
      let through = "";
      for (const { dense } of contributions) {
        if (dense) through = through ? graph.node("Add", [through, dense(scale)]) : dense(scale, shiftBack);
      }
      const correction = graph.node("Mul", [tensor, pass.perChannel(slope, shape)]);
      through = graph.node("Sub", [through || pass.perChannel(shiftBack, shape), correction]);
      pass.contribute(from, pass.contribution(from, pass.scatter(through, contributions, shape, scale)));
    },
  };
}

/** Sum or mean over everything but channels, `[c]`. */
function overRows(pass: Pass, how: "Sum" | "Mean", tensor: string, shape: readonly number[]): string {
  return shape.length === 4 ? pass.planes.overVoxels(how, tensor, shape) : pass.graph.reduce(how, tensor, [0]);
}

/** Sums `[c]` of the gradient and of its product with the base, from what the consumers know or by reading the tensors. */
function sumContributions(pass: Pass, contributions: readonly Contribution[], base: Value) {
  const { graph } = pass;
  const totals: string[] = [];
  const products: string[] = [];
  for (const { dense, sparse, sums } of contributions) {
    if (sums) {
      totals.push(sums.total);
      products.push(sums.withBase);
    } else if (dense) {
      const tensor = dense();
      totals.push(overRows(pass, "Sum", tensor, base.shape));
      products.push(overRows(pass, "Sum", graph.node("Mul", [tensor, base.tensor]), base.shape));
    }
    if (sparse) {
      totals.push(graph.reduce("Sum", sparse.values, [0]));
      products.push(graph.reduce("Sum", graph.node("Mul", [sparse.values, sparse.peaks]), [0]));
    }
  }
  const add = (tensors: string[]) => tensors.reduce((a, b) => graph.node("Add", [a, b]));
  return { total: add(totals), withBase: add(products) };
}
