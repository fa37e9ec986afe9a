/**
 * Colours and markers of classes: told apart with any colour vision, and without colour at all.
 * @module
 */
import type { MarkerShape, Rgb } from "./picture.ts";

/** How a class is drawn everywhere. */
export interface ClassStyle {
  /** `#rrggbb`. */
  readonly colour: string;
  readonly rgb: Rgb;
  readonly shape: MarkerShape;
}

/**
 * Eight hues after Okabe and Ito 2008 (distinct with protanopia, deuteranopia and tritanopia); black and the pale yellow, which vanish on
 * dark and on white paper, are replaced by violet and olive. All have a contrast of at least 2.2 to white and to a near-black page.
 */
const COLOURS = ["#0072b2", "#e08a00", "#009e73", "#d1579a", "#3fa9e0", "#d2480a", "#8a63d2", "#9a8c00"];
const SHAPES: readonly MarkerShape[] = ["circle", "square", "triangle", "diamond", "wedge", "hexagon", "cross"];

/** Number of classes with a look of their own. */
export const DISTINCT_STYLES: number = COLOURS.length * SHAPES.length;

/** Reads `#rrggbb`. */
export function parseColour(colour: string): Rgb {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)) as unknown as Rgb;
}

/**
 * Gives each class a colour and a marker. No two of up to {@linkcode DISTINCT_STYLES} classes look the same; up to eight classes differ in
 * colour, and a class keeps the look of its name (name modulo 8) from one report to the next unless another class needs that colour too.
 *
 * @param classIds Lasting names of the classes, any order, without repeats.
 */
export function styleClasses(classIds: readonly number[]): Map<number, ClassStyle> {
  const uses = new Array<number>(COLOURS.length).fill(0);
  const styles = new Map<number, ClassStyle>();
  for (const id of [...classIds].sort((a, b) => a - b)) {
    const wanted = ((id % COLOURS.length) + COLOURS.length) % COLOURS.length;
    const least = Math.min(...uses);
    let slot = wanted;
    while (uses[slot] > least) slot = (slot + 1) % COLOURS.length;
    // Within one colour the markers differ; neighbouring colours start at different markers.
    const shape = SHAPES[(slot + uses[slot]) % SHAPES.length];
    uses[slot]++;
    styles.set(id, { colour: COLOURS[slot], rgb: parseColour(COLOURS[slot]), shape });
  }
  return styles;
}
