/**
 * Layers that change the number of voxels as graph nodes.
 * @module
 */
import { sizeOf } from "../shapes.ts";
import { type Emitter, tensorContribution } from "./pass.ts";

/**
 * The largest value of each channel. Of scale a + shift it is |scale| times the largest sign(scale) a, plus shift, so that the batch norm
 * before it costs one multiplication. The gradient goes to the first maximum alone.
 */
export const emitGlobalMaxPool: Emitter<"globalMaxPool"> = (pass, { from }) => {
  const { graph } = pass;
  const { base, shape, affine } = pass.value(from);
  let [tensor, sign] = [base, ""];
  if (affine) {
    // Sign gives 0 for a scale of 0, where any voxel will do: take it as positive.
    sign = graph.node("Sign", [graph.node("Add", [graph.node("Sign", [affine.scale]), graph.scalar(0.5)])]);
    tensor = graph.node("Mul", [base, pass.perChannel(sign)]);
  }
  const apply = (peaks: string) => {
    if (!affine) return peaks;
    const size = graph.node("Mul", [affine.scale, sign]);
    return graph.node("Add", [graph.node("Mul", [peaks, size]), affine.shift]);
  };
  const channels = graph.integers([-1, shape[0]]);
  if (!pass.needsGradient(from)) {
    const peaks = graph.node("ReduceMax", [tensor, graph.integers([2, 3, 4])], { keepdims: 0 });
    return { value: { base: apply(peaks), shape: [shape[0]] } };
  }
  const flat = graph.node("Reshape", [tensor, graph.integers([0, shape[0], sizeOf(shape.slice(1))])]);
  const [largest, indices] = graph.nodes("TopK", [flat, graph.integers([1])], { axis: 2 }, 2);
  const value = { base: apply(graph.node("Reshape", [largest, channels])), shape: [shape[0]] };
  return {
    value,
    backward(contributions) {
      const values = graph.node("Reshape", [pass.sum(contributions, value), graph.integers([-1, shape[0], 1])]);
      const peaks = affine ? graph.node("Mul", [largest, graph.node("Reshape", [sign, graph.integers([-1, 1])])]) : largest;
      pass.contribute(from, { sparse: { indices, values, peaks } });
    },
  };
};

/** Repeats every voxel `factor` times along z, y and x. The gradient of a voxel is the sum over its copies. */
export const emitUpsample: Emitter<"upsample3d"> = (pass, { id, from, factor }) => {
  const { graph } = pass;
  const [channels, ...axes] = pass.value(from).shape;
  const shape = pass.network.shapes.get(id)!;
  const apart = graph.node("Reshape", [pass.dense(from), graph.integers([-1, channels, ...axes.flatMap((axis) => [axis, 1])])]);
  const repeated = graph.node("Expand", [apart, graph.integers([1, 1, 1, factor, 1, factor, 1, factor])]);
  const value = { base: graph.node("Reshape", [repeated, graph.integers([-1, ...shape])]), shape };
  return {
    value,
    backward(contributions) {
      const window = [factor, factor, factor];
      const mean = graph.node("AveragePool", [pass.sum(contributions, value)], { kernel_shape: window, strides: window });
      pass.contribute(from, tensorContribution(pass, graph.node("Mul", [mean, graph.scalar(factor ** 3)])));
    },
  };
};
