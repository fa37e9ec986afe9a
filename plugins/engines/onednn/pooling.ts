/**
 * Global maxima and means as primitives.
 * @module
 */
import { ARGUMENT, POOLING } from "./makers.ts";
import type { LayerOf, Pass } from "./pass.ts";
import type { Tensor } from "./program.ts";

/** What is left of a volume: one number for each row and channel. */
export interface Pooled {
  /** `[n, c, 1, 1, 1]` in the volume's layout: rows of `stride` channels, of which those from c on are zeros. */
  readonly tensor: Tensor;
  /** Where each maximum stood, alike; 8 or 32 bits each. Absent for a mean. */
  readonly places: Tensor | null;
  readonly stride: number;
}

/** A volume in a layout that can be pooled and written to from here: its own, or row-major. */
export function poolable(pass: Pass, input: Tensor): Tensor {
  return pass.blockOf(input) === null ? pass.plain(input) : input;
}

/** Pools a {@linkcode poolable} volume over all its voxels. */
export function poolGlobally(pass: Pass, kind: keyof typeof POOLING, input: Tensor): Pooled {
  const { runtime, program } = pass;
  const [count, channels, ...kernel] = input.shape;
  const shape = [count, channels, 1, 1, 1];
  const destination = pass.describe(shape, pass.layoutOf(shape, pass.blockOf(input)!));
  const primitive = program.keep(runtime.makers.pool(POOLING[kind], input.descriptor, destination, kernel));
  const tensor = program.temporary(shape, destination);
  const places = kind === "maximum" ? program.temporary(shape, runtime.chosen(primitive, "workspace")) : null;
  program.execute(primitive, [
    [ARGUMENT.source, input],
    [ARGUMENT.destination, tensor],
    ...places ? [[ARGUMENT.workspace, places] as const] : [],
  ]);
  return { tensor, places, stride: runtime.bytes(destination) / 4 / count };
}

/** `[n, c, z, y, x]` -> `[n, c]`. Its own gradient primitive would write the whole volume; here only the maxima are visited. */
export function emitGlobalMaxPool(pass: Pass, { id, from }: LayerOf<"globalMaxPool">): void {
  const { program } = pass;
  const { tensor, places, stride } = poolGlobally(pass, "maximum", poolable(pass, pass.value(from)));
  const [count, channels] = tensor.shape;
  const plain = pass.plain(tensor);
  pass.define(id, program.alias(plain, [count, channels], pass.plainDescriptor([count, channels])));

  pass.backward(() => {
    const values = pass.gradient(id, pass.plainDescriptor([count, channels]));
    if (values && pass.needsGradient(from)) pass.contribute(from, { values, places: places!, stride });
  });
}
