/**
 * Element by element layers as graph nodes.
 * @module
 */
import type { Emitted, LayerOf, Pass, Value } from "./pass.ts";

/**
 * ELU with alpha 1, as max(x, exp(min(x, 0)) - 1): ONNX Runtime's own Elu takes three times as long.
 */
export function emitElu(pass: Pass, { from }: LayerOf<"elu">): Emitted {
  const { graph } = pass;
  const input = pass.asPlanes(from);
  const power = graph.node("Exp", [graph.node("Min", [input, graph.scalar(0)])]);
  const tensor = graph.node("Max", [input, graph.node("Sub", [power, graph.scalar(1)])]);
  // The derivative is the power, but keeping it until the way back would cost memory: min(elu, 0) + 1 is the same.
  const derivative = () => graph.node("Add", [graph.node("Min", [tensor, graph.scalar(0)]), graph.scalar(1)]);
  return activation(pass, from, { tensor, shape: pass.value(from).shape }, derivative);
}

/** The logistic function. Padded channels become 0.5, which nothing reads: kernels have zeros for them. */
export function emitSigmoid(pass: Pass, { from }: LayerOf<"sigmoid">): Emitted {
  const { graph } = pass;
  const tensor = graph.node("Sigmoid", [pass.asPlanes(from)]);
  const value = { tensor, shape: pass.value(from).shape };
  return activation(pass, from, value, () => graph.node("Mul", [tensor, graph.node("Sub", [graph.scalar(1), tensor])]));
}

/** Multiplies by the noise that is fed while training. */
export function emitGaussianDropout(pass: Pass, { from, noise }: LayerOf<"gaussianDropout">): Emitted {
  const { graph } = pass;
  const input = pass.value(from);
  if (pass.mode !== "train") return { value: input, backward: (contributions) => contributions.forEach((c) => pass.contribute(from, c)) };
  const own = input.raw || input.shape.length !== 4 ? noise : pass.planes.from(noise, input.shape);
  const value = { tensor: graph.node("Mul", [pass.tensor(from), own]), shape: input.shape, raw: input.raw };
  return activation(pass, from, value, () => own);
}

/** A layer whose gradient is multiplied by `derivative`, element by element. */
function activation(pass: Pass, from: string, value: Value, derivative: () => string): Emitted {
  return {
    value,
    backward(contributions) {
      if (!pass.needsGradient(from)) return;
      const gradient = pass.graph.node("Mul", [pass.sum(contributions, value), derivative()]);
      pass.contribute(from, pass.contribution(from, gradient));
    },
  };
}
