/**
 * Dense layers and changes of shape as graph nodes.
 * @module
 */
import { type Emitter, tensorContribution } from "./pass.ts";

/** `x W + b`. */
export const emitDense: Emitter<"dense"> = (pass, { id, from }) => {
  const { graph } = pass;
  const input = pass.dense(from);
  const weight = `${id}.weight`;
  const value = { base: graph.node("Gemm", [input, weight, `${id}.bias`]), shape: pass.network.shapes.get(id)! };
  return {
    value,
    backward(contributions) {
      const given = pass.sum(contributions, value);
      if (pass.trains(id)) {
        pass.gradients.set(weight, graph.node("Gemm", [input, given], { transA: 1 }));
        pass.gradients.set(`${id}.bias`, graph.node("ReduceSum", [given, graph.integers([0])], { keepdims: 0 }));
      }
      if (pass.needsGradient(from)) pass.contribute(from, tensorContribution(pass, graph.node("Gemm", [given, weight], { transB: 1 })));
    },
  };
};

/** Joins along channels. */
export const emitConcat: Emitter<"concat"> = (pass, { id, from }) => {
  const { graph } = pass;
  const value = { base: graph.node("Concat", from.map((input) => pass.dense(input)), { axis: 1 }), shape: pass.network.shapes.get(id)! };
  return {
    value,
    backward(contributions) {
      const channels = from.map((input) => pass.value(input).shape[0]);
      const parts = graph.nodes("Split", [pass.sum(contributions, value), graph.integers(channels)], { axis: 1 }, from.length);
      from.forEach((input, i) => pass.contribute(input, tensorContribution(pass, parts[i])));
    },
  };
};

/** Another shape over the same numbers. */
export const emitReshape: Emitter<"reshape"> = (pass, { from, shape }) => {
  const { graph } = pass;
  const value = { base: graph.node("Reshape", [pass.dense(from), graph.integers([-1, ...shape])]), shape };
  return {
    value,
    backward(contributions) {
      const back = graph.integers([-1, ...pass.value(from).shape]);
      pass.contribute(from, tensorContribution(pass, graph.node("Reshape", [pass.sum(contributions, value), back])));
    },
  };
};
