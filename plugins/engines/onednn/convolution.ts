/**
 * Convolution layers as primitives.
 * @module
 */
import { ARGUMENT } from "./makers.ts";
import { activationGradient } from "./activations.ts";
import type { LayerOf, Pass } from "./pass.ts";

/**
 * A 3D convolution in the layouts that oneDNN prefers. An ELU that alone reads it is applied to the result before it is stored, and its
 * gradient found from that.
 */
export function emitConvolution(pass: Pass, layer: LayerOf<"conv3d">): void {
  const { runtime, program } = pass;
  const { makers } = runtime;
  const { id, from, kernel } = layer;
  const padding = layer.padding === "same" ? (kernel - 1) / 2 : 0;
  const input = pass.value(from);
  const [shape, weightShape] = [pass.shape(id), [layer.channels, input.shape[1], kernel, kernel, kernel]];
  const bias = pass.describe([layer.channels], [1]);
  const preferred = (volume: readonly number[]) => runtime.channelsLast ? pass.layoutOf(volume, volume[1]) : "any";
  const source = pass.describe(input.shape, preferred(input.shape));
  const weight = pass.describe(weightShape, "any");
  const destination = pass.describe(shape, preferred(shape));

  const elu = pass.soleElu(id);
  const attributes = elu ? program.keepAttributes(makers.attributes([{ kind: "elu", alpha: 1, beta: 0 }])) : null;
  const forward = program.keep(makers.convolutionForward(source, weight, bias, destination, padding, attributes));
  const value = program.temporary(shape, runtime.chosen(forward, "destination"));
  program.execute(forward, [
    [ARGUMENT.source, pass.as(input, runtime.chosen(forward, "source"))],
    [ARGUMENT.weights, pass.weights(`${id}.weight`, weightShape, runtime.chosen(forward, "weights"))],
    [ARGUMENT.bias, pass.vector(`${id}.bias`)],
    [ARGUMENT.destination, value],
  ]);
  pass.define(id, value);
  if (elu) pass.define(elu.id, value);

  pass.backward(() => {
    const given = pass.gradient(elu?.id ?? id, value.descriptor);
    if (!given) return;
    if (elu) activationGradient(pass, "elu", value, given);
    if (pass.trains(id)) {
      const backward = program.keep(makers.convolutionBackwardWeights(source, weight, bias, destination, padding, forward));
      const gradient = pass.weightGradient(`${id}.weight`, weightShape, runtime.chosen(backward, "diffWeights"));
      program.execute(backward, [
        [ARGUMENT.source, pass.as(input, runtime.chosen(backward, "source"))],
        [ARGUMENT.diffDestination, pass.as(given, runtime.chosen(backward, "diffDestination"))],
        [ARGUMENT.diffWeights, gradient.tensor],
        [ARGUMENT.diffBias, pass.vectorGradient(`${id}.bias`)],
      ]);
      gradient.done();
    }
    if (!pass.needsGradient(from)) return;
    const backward = program.keep(makers.convolutionBackwardData(source, weight, destination, padding, forward));
    const gradient = program.temporary(input.shape, runtime.chosen(backward, "diffSource"));
    program.execute(backward, [
      [ARGUMENT.diffDestination, pass.as(given, runtime.chosen(backward, "diffDestination"))],
      [ARGUMENT.weights, pass.weights(`${id}.weight`, weightShape, runtime.chosen(backward, "weights"))],
      [ARGUMENT.diffSource, gradient],
    ]);
    pass.contribute(from, gradient);
  });
}
