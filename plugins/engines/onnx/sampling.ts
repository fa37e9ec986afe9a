/**
 * Layers that change the number of voxels as graph nodes.
 * @module
 */
import type { Emitted, LayerOf, Pass, Value } from "./pass.ts";

/**
 * The largest value of each channel. Of scale a + shift it is |scale| times the largest sign(scale) a, plus shift, so that the batch norm
 * before it costs one multiplication. The gradient goes to the first maximum alone.
 */
export function emitGlobalMaxPool(pass: Pass, { from }: LayerOf<"globalMaxPool">): Emitted {
  const { graph, planes } = pass;
  const { shape, affine } = pass.value(from);
  const base = affine ? pass.value(from).tensor : pass.asPlanes(from);
  let [tensor, sign] = [base, ""];
  if (affine) {
    // Sign gives 0 for a scale of 0, where any voxel will do: take it as positive.
    sign = graph.node("Sign", [graph.node("Add", [graph.node("Sign", [affine.scale]), graph.scalar(0.5)])]);
    tensor = graph.node("Mul", [base, pass.perChannel(sign, shape)]);
  }
  const { values: largest, indices } = planes.largest(tensor, shape, pass.needsGradient(from));
  const size = affine ? graph.node("Mul", [affine.scale, sign]) : "";
  const pooled = affine ? graph.node("Add", [graph.node("Mul", [largest, size]), affine.shift]) : largest;
  const value: Value = { tensor: pooled, shape: [shape[0]] };
  return {
    value,
    backward(contributions) {
      const values = pass.sum(contributions, value);
      const peaks = affine ? graph.node("Mul", [largest, sign]) : largest;
      pass.contribute(from, { sparse: { indices, values, peaks } });
    },
  };
}

/** Repeats every voxel `factor` times along z, y and x. The gradient of a voxel is the sum over its copies. */
export function emitUpsample(pass: Pass, { id, from, factor }: LayerOf<"upsample3d">): Emitted {
  const { graph, planes } = pass;
  const { shape } = pass.value(from);
  const [c, z, y, x] = shape;
  const blocks = planes.padded(c) / planes.block;
  const repeat = (axis: number) => graph.integers(Array.from({ length: axis * factor }, (_, i) => Math.floor(i / factor)));
  let tensor = graph.reshape(pass.asPlanes(from), [-1, z, blocks, y, x, planes.block]);
  for (const axis of [4, 3, 1]) tensor = graph.node("Gather", [tensor, repeat([0, z, 0, y, x][axis])], { axis });
  const wide = pass.network.shapes.get(id)!;
  const value: Value = { tensor: planes.canonical(tensor, wide), shape: wide };
  return {
    value,
    backward(contributions) {
      let sum = pass.sum(contributions, value);
      // Along z first: every later sum reads less.
      sum = graph.reduce("Sum", graph.reshape(sum, [-1, factor, blocks * y * factor * x * factor * planes.block]), [1]);
      sum = graph.reduce("Sum", graph.reshape(sum, [-1, factor, x * factor * planes.block]), [1]);
      sum = graph.reduce("Sum", graph.reshape(sum, [-1, factor, planes.block]), [1]);
      pass.contribute(from, pass.contribution(from, planes.canonical(sum, shape)));
    },
  };
}
