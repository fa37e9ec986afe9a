/**
 * Dense layers as primitives.
 * @module
 */
import { ARGUMENT } from "./makers.ts";
import type { LayerOf, Pass } from "./pass.ts";

/** `[in] -> [units]` by inner products. oneDNN reads weights as `[units, in]`: the same numbers, other strides. */
export function emitDense(pass: Pass, { id, from, units }: LayerOf<"dense">): void {
  const { runtime, program } = pass;
  const { makers } = runtime;
  if (pass.mode === "infer") return emitRows(pass, id, from, units);
  const input = pass.value(from);
  const [shape, weightShape] = [pass.shape(id), [units, input.shape[1]]];
  const strides = [1, units];
  const bias = pass.describe([units], [1]);
  const source = pass.describe(input.shape, "any");
  const weight = pass.describe(weightShape, "any");
  const destination = pass.plainDescriptor(shape);
  const forward = program.keep(makers.innerProductForward(source, weight, bias, destination));
  const value = program.temporary(shape, runtime.chosen(forward, "destination"));
  program.execute(forward, [
    [ARGUMENT.source, pass.as(input, runtime.chosen(forward, "source"))],
    [ARGUMENT.weights, pass.weights(`${id}.weight`, weightShape, runtime.chosen(forward, "weights"), strides)],
    [ARGUMENT.bias, pass.vector(`${id}.bias`)],
    [ARGUMENT.destination, value],
  ]);
  pass.define(id, value);

  pass.backward(() => {
    const given = pass.gradient(id, value.descriptor);
    if (!given) return;
    if (pass.trains(id)) {
      const backward = program.keep(makers.innerProductBackwardWeights(source, weight, bias, destination, forward));
      const gradient = pass.weightGradient(`${id}.weight`, weightShape, runtime.chosen(backward, "diffWeights"), strides);
      program.execute(backward, [
        [ARGUMENT.source, pass.as(input, runtime.chosen(backward, "source"))],
        [ARGUMENT.diffDestination, pass.as(given, runtime.chosen(backward, "diffDestination"))],
        [ARGUMENT.diffWeights, gradient.tensor],
        [ARGUMENT.diffBias, pass.vectorGradient(`${id}.bias`)],
      ]);
      gradient.done();
    }
    if (!pass.needsGradient(from)) return;
    const backward = program.keep(makers.innerProductBackwardData(source, weight, destination, forward));
    const gradient = program.temporary(input.shape, runtime.chosen(backward, "diffSource"));
    program.execute(backward, [
      [ARGUMENT.diffDestination, pass.as(given, runtime.chosen(backward, "diffDestination"))],
      [ARGUMENT.weights, pass.weights(`${id}.weight`, weightShape, runtime.chosen(backward, "weights"), strides)],
      [ARGUMENT.diffSource, gradient],
    ]);
    pass.contribute(from, gradient);
  });
}

/** At inference each row is a product of its own: in one for all, how a row's sum is rounded would depend on its place in the batch. */
function emitRows(pass: Pass, id: string, from: string, units: number): void {
  const { runtime, program, count } = pass;
  const input = pass.plain(pass.value(from));
  const weightShape = [units, input.shape[1]];
  const [source, destination] = [pass.plainDescriptor([1, input.shape[1]]), pass.plainDescriptor([1, units])];
  const bias = pass.describe([units], [1]);
  const primitive = program.keep(runtime.makers.innerProductForward(source, pass.describe(weightShape, "any"), bias, destination));
  const weights = pass.weights(`${id}.weight`, weightShape, runtime.chosen(primitive, "weights"), [1, units]);
  const value = program.temporary(pass.shape(id), pass.plainDescriptor(pass.shape(id)));
  const shift = pass.vector(`${id}.bias`);
  for (let row = 0; row < count; row++) {
    program.execute(primitive, [
      [ARGUMENT.source, program.row(input, row, source)],
      [ARGUMENT.weights, weights],
      [ARGUMENT.bias, shift],
      [ARGUMENT.destination, program.row(value, row, destination)],
    ]);
  }
  pass.define(id, value);
}
