/**
 * Dense layers and changes of shape as graph nodes.
 * @module
 */
import type { Emitted, LayerOf, Pass, Value } from "./pass.ts";

/** `x W + b`. */
export function emitDense(pass: Pass, { id, from }: LayerOf<"dense">): Emitted {
  const { graph } = pass;
  const input = pass.tensor(from);
  const weight = `${id}.weight`;
  const value: Value = { tensor: graph.node("Gemm", [input, weight, `${id}.bias`]), shape: pass.network.shapes.get(id)! };
  return {
    value,
    backward(contributions) {
      const given = pass.sum(contributions, value);
      if (pass.trains(id)) {
        pass.gradients.set(weight, graph.node("Gemm", [input, given], { transA: 1 }));
        pass.gradients.set(`${id}.bias`, graph.reduce("Sum", given, [0]));
      }
      if (pass.needsGradient(from)) pass.contribute(from, pass.contribution(from, graph.node("Gemm", [given, weight], { transB: 1 })));
    },
  };
}

/** Joins along channels. */
export function emitConcat(pass: Pass, { id, from }: LayerOf<"concat">): Emitted {
  const { graph } = pass;
  const joined = graph.node("Concat", from.map((input) => pass.plain(input)), { axis: 1 });
  const value = fromPlain(pass, joined, pass.network.shapes.get(id)!);
  return {
    value,
    backward(contributions) {
      const channels = from.map((input) => pass.value(input).shape[0]);
      const parts = graph.nodes("Split", [plainSum(pass, contributions, value), graph.integers(channels)], { axis: 1 }, from.length);
      from.forEach((input, i) => contributePlain(pass, input, parts[i]));
    },
  };
}

/** Another shape over the same numbers. */
export function emitReshape(pass: Pass, { from, shape }: LayerOf<"reshape">): Emitted {
  const { graph } = pass;
  const value = fromPlain(pass, graph.reshape(pass.plain(from), [-1, ...shape]), shape);
  return {
    value,
    backward(contributions) {
      contributePlain(pass, from, graph.reshape(plainSum(pass, contributions, value), [-1, ...pass.value(from).shape]));
    },
  };
}

/** A tensor in the logical layout as a layer's value. */
function fromPlain(pass: Pass, tensor: string, shape: readonly number[]): Value {
  return { tensor: shape.length === 4 ? pass.planes.from(tensor, shape) : tensor, shape };
}

/** The sum of all summands in the logical layout. */
function plainSum(pass: Pass, contributions: Parameters<Pass["sum"]>[0], value: Value): string {
  const sum = pass.sum(contributions, value);
  return value.shape.length === 4 ? pass.planes.toVolume(sum, value.shape) : sum;
}

/** Adds a tensor in the logical layout to the gradient of layer `id`'s output. */
function contributePlain(pass: Pass, id: string, tensor: string): void {
  if (!pass.needsGradient(id)) return;
  const { shape } = pass.value(id);
  pass.contribute(id, pass.contribution(id, shape.length === 4 ? pass.planes.from(tensor, shape) : tensor));
}
