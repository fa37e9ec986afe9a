/**
 * What an exported network expects of a volume: which axes of its input are depth, height and width.
 * @module
 */
import type { Triple } from "../../../streams/contract.ts";

/** A network's input, as it declares it. Lengths that are known only when it runs are not numbers. */
export interface DeclaredInput {
  readonly name: string;
  readonly type: string;
  readonly shape: readonly (number | string)[];
}

/** How tiles are handed to it. */
export interface TileLayout {
  /** Lengths of all axes; 0 stands for depth, height and width, in this order. */
  readonly axes: readonly number[];
  /** Sizes of a tile that the network insists on; null where any will do. */
  readonly fixedZyx: readonly (number | null)[];
  /** Whether it takes single sections: depth is then none of its axes. */
  readonly flat: boolean;
}

/**
 * Finds depth, height and width: `[batch, 1, d, h, w]`, `[batch, d, h, w, 1]`, `[d, h, w]`, or for sections `[batch, 1, h, w]`, `[batch, h, w, 1]`,
 * `[h, w]`.
 * @returns The layout, or in words why there is none.
 */
export function layoutOf({ name, type, shape }: DeclaredInput): TileLayout | string {
  const shown = `its input "${name}" is ${type} [${shape.join(", ")}]`;
  if (type !== "float32") return `${shown}, expected float32`;
  const open = (axis: number | string) => typeof axis !== "number" || axis <= 0;
  const one = (axis: number | string) => open(axis) || axis === 1;
  const build = (spatial: readonly number[], flat: boolean): TileLayout => ({
    axes: shape.map((_, i) => spatial.includes(i) ? 0 : 1),
    fixedZyx: [...flat ? [1] : [], ...spatial.map((i) => open(shape[i]) ? null : Number(shape[i]))],
    flat,
  });
  const rank = shape.length;
  if (rank === 3) return build([0, 1, 2], false);
  if (rank === 2) return build([0, 1], true);
  if (rank === 5 || rank === 4) {
    const spatial = Array.from({ length: rank - 2 }, (_, i) => i + 2);
    const last = spatial.map((i) => i - 1), flat = rank === 4;
    const first = shape[1] === 1 || open(shape[1]) && shape[rank - 1] !== 1;
    // Where either end could be the channel, it comes first, as PyTorch has it.
    if (one(shape[0]) && first) return build(spatial, flat);
    if (one(shape[0]) && shape[rank - 1] === 1) return build(last, flat);
  }
  return `${shown}, expected one channel: [batch, 1, depth, height, width], [batch, depth, height, width, 1] or [batch, 1, height, width]`;
}

/** The shape of an input that holds one tile. */
export function inputShape({ axes, flat }: TileLayout, tileZyx: Triple): number[] {
  const spatial = flat ? tileZyx.slice(1) : [...tileZyx];
  return axes.map((length) => length === 0 ? spatial.shift()! : length);
}
