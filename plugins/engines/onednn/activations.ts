/**
 * Element by element layers as primitives.
 * @module
 */
import { ARGUMENT, BINARY } from "./makers.ts";
import type { LayerOf, Pass } from "./pass.ts";
import type { Tensor } from "./program.ts";

/** ELU (alpha 1) and the logistic function: both gradients are found from the output, so the input need not be kept. */
export function emitActivation(pass: Pass, { id, op, from }: LayerOf<"elu" | "sigmoid">): void {
  const { runtime: { makers }, program } = pass;
  const kind = op === "elu" ? "elu" : "logistic";
  const input = pass.value(from);
  const value = program.temporary(input.shape, input.descriptor);
  const forward = program.keep(makers.eltwiseForward(kind, input.descriptor, null));
  program.execute(forward, [[ARGUMENT.source, input], [ARGUMENT.destination, value]]);
  pass.define(id, value);
  pass.backward(() => {
    const given = pass.gradient(id, value.descriptor);
    if (!given || !pass.needsGradient(from)) return;
    activationGradient(pass, kind, value, given);
    pass.contribute(from, given);
  });
}

/** Turns the gradient of an activation's output into that of its input, in place. */
export function activationGradient({ runtime: { makers }, program }: Pass, kind: "elu" | "logistic", value: Tensor, given: Tensor): void {
  const hint = program.keep(makers.eltwiseForward(kind, value.descriptor, null));
  const backward = program.keep(makers.eltwiseBackward(kind, value.descriptor, hint));
  program.execute(backward, [
    [ARGUMENT.destination, value],
    [ARGUMENT.diffDestination, given],
    [ARGUMENT.diffSource, given],
  ]);
}

/** Multiplies by the noise that is fed while training. */
export function emitGaussianDropout(pass: Pass, { id, from, noise }: LayerOf<"gaussianDropout">): void {
  const { program } = pass;
  const input = pass.value(from);
  if (pass.mode !== "train") return pass.define(id, input);
  const factors = pass.as(pass.feed(noise, input.shape), input.descriptor);
  const value = program.temporary(input.shape, input.descriptor);
  multiply(pass, input, factors, value);
  pass.define(id, value);
  pass.backward(() => {
    const given = pass.gradient(id, input.descriptor);
    if (!given || !pass.needsGradient(from)) return;
    multiply(pass, given, factors, given);
    pass.contribute(from, given);
  });
}

function multiply({ runtime: { makers }, program }: Pass, a: Tensor, b: Tensor, product: Tensor): void {
  const primitive = program.keep(makers.binary(BINARY.multiply, a.descriptor, b.descriptor, product.descriptor, null));
  program.execute(primitive, [[ARGUMENT.source, a], [ARGUMENT.secondSource, b], [ARGUMENT.destination, product]]);
}
