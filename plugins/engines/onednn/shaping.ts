/**
 * Layers that move numbers without changing them.
 * @module
 */
import { sizeOf } from "../shapes.ts";
import { ARGUMENT } from "./makers.ts";
import type { LayerOf, Pass } from "./pass.ts";

/** Joins along channels, row by row. */
export function emitConcat(pass: Pass, { id, from }: LayerOf<"concat">): void {
  const { program, count } = pass;
  const shape = pass.shape(id);
  const whole = sizeOf(shape.slice(1));
  const parts = from.map((part) => sizeOf(pass.shape(part).slice(1)));
  const value = program.temporary(shape, pass.plainDescriptor(shape));
  program.call([value, ...from.map((part) => pass.plain(pass.value(part)))], (joined, ...pieces) => {
    for (let row = 0, at = 0; row < count; row++) {
      pieces.forEach((piece, i) => {
        joined.set(piece.subarray(row * parts[i], (row + 1) * parts[i]), at);
        at += parts[i];
      });
    }
  });
  pass.define(id, value);
  pass.backward(() => {
    const given = pass.gradient(id, value.descriptor);
    if (!given) return;
    from.forEach((part, i) => {
      if (!pass.needsGradient(part)) return;
      const partShape = pass.shape(part);
      const piece = program.temporary(partShape, pass.plainDescriptor(partShape));
      const begin = parts.slice(0, i).reduce((sum, size) => sum + size, 0);
      program.call([given, piece], (joined, own) => {
        for (let row = 0; row < count; row++) {
          own.set(joined.subarray(row * whole + begin, row * whole + begin + parts[i]), row * parts[i]);
        }
      });
      pass.contribute(part, piece);
    });
  });
}

/** The same numbers in another shape. */
export function emitReshape(pass: Pass, { id, from }: LayerOf<"reshape">): void {
  const { program } = pass;
  const [input, shape] = [pass.plain(pass.value(from)), pass.shape(id)];
  pass.define(id, program.alias(input, shape, pass.plainDescriptor(shape)));
  pass.backward(() => {
    const given = pass.gradient(id, pass.plainDescriptor(shape));
    if (given && pass.needsGradient(from)) pass.contribute(from, program.alias(given, input.shape, input.descriptor));
  });
}

/** Nearest neighbour, integer factor. */
export function emitUpsample(pass: Pass, { id, from }: LayerOf<"upsample3d">): void {
  const { runtime: { makers }, program } = pass;
  const [input, shape] = [pass.plain(pass.value(from)), pass.shape(id)];
  const destination = pass.plainDescriptor(shape);
  const forward = program.keep(makers.upsampleForward(input.descriptor, destination));
  const value = program.temporary(shape, destination);
  program.execute(forward, [[ARGUMENT.source, input], [ARGUMENT.destination, value]]);
  pass.define(id, value);
  pass.backward(() => {
    const given = pass.gradient(id, destination);
    if (!given || !pass.needsGradient(from)) return;
    const backward = program.keep(makers.upsampleBackward(input.descriptor, destination, forward));
    const gradient = program.temporary(input.shape, input.descriptor);
    program.execute(backward, [[ARGUMENT.diffDestination, given], [ARGUMENT.diffSource, gradient]]);
    pass.contribute(from, gradient);
  });
}
