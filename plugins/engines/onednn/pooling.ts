/**
 * The global maximum as a primitive.
 * @module
 */
import { ARGUMENT } from "./makers.ts";
import type { LayerOf, Pass } from "./pass.ts";

/** `[n, c, z, y, x]` -> `[n, c]`. Its own gradient primitive would write the whole volume; here only the maxima are visited. */
export function emitGlobalMaxPool(pass: Pass, { id, from }: LayerOf<"globalMaxPool">): void {
  const { runtime, program } = pass;
  let input = pass.value(from);
  if (pass.blockOf(input) === null) input = pass.plain(input);
  const block = pass.blockOf(input)!;
  const [count, channels, ...kernel] = input.shape;
  const shape = [count, channels, 1, 1, 1];
  const layout = block === 1 ? [channels, 1, 1, 1, 1] : `block${block as 8 | 16}` as const;
  const forward = program.keep(runtime.makers.maxPoolForward(input.descriptor, pass.describe(shape, layout), kernel));
  const maxima = program.temporary(shape, runtime.chosen(forward, "destination"));
  const places = program.temporary(shape, runtime.chosen(forward, "workspace"));
  program.execute(forward, [[ARGUMENT.source, input], [ARGUMENT.destination, maxima], [ARGUMENT.workspace, places]]);
  const plain = pass.as(maxima, pass.describe(shape, [channels, 1, 1, 1, 1]));
  pass.define(id, program.alias(plain, [count, channels], pass.plainDescriptor([count, channels])));

  pass.backward(() => {
    const values = pass.gradient(id, pass.plainDescriptor([count, channels]));
    if (values && pass.needsGradient(from)) pass.contribute(from, { values, places, stride: Math.ceil(channels / block) * block });
  });
}
