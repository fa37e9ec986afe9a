/**
 * Evenly spread rotations.
 * @module
 */
import { multiply3, quaternionToMatrix } from "./rotation.ts";
import { randomRotation } from "./rotation.ts";
import type { Random } from "../../streams/contract.ts";

/** Solution of psi^4 = psi + 4, the second irrational of the spiral. */
const PSI = 1.533751168755204288118041;

/**
 * A super-Fibonacci spiral of rotations, turned as a whole by one random rotation.
 *
 * @param count Number of rotations; neighbours are about (8 pi^2 / count)^(1/3) radians apart.
 * @returns `[count, 9]` row-major matrices, float32.
 * @see Alexa 2022, "Super-Fibonacci spirals: fast, low-discrepancy sampling of SO(3)", CVPR.
 */
export function superFibonacciRotations(count: number, random: Random): Float32Array {
  const whole = randomRotation(random);
  const out = new Float32Array(9 * count);
  for (let i = 0; i < count; i++) {
    const s = i + 0.5, t = s / count;
    const r = Math.sqrt(t), q = Math.sqrt(1 - t);
    const a = 2 * Math.PI * s / Math.SQRT2, b = 2 * Math.PI * s / PSI;
    out.set(multiply3(whole, quaternionToMatrix(q * Math.cos(b), r * Math.sin(a), r * Math.cos(a), q * Math.sin(b))), 9 * i);
  }
  return out;
}

/** Mean angle in radians between neighbours of a grid of `count` rotations. */
export function rotationSpacing(count: number): number {
  return Math.cbrt(8 * Math.PI * Math.PI / count);
}
