/**
 * Maximisation: posterior-weighted slices back into a class's volume; runs in a worker.
 * @module
 */
import * as simd from "../simd/align.wasm";
import { type BoxSet, inverseDeviations, wedgeCount, writeRow } from "./box_set.ts";
import { floats, put, reserve, zeros } from "./memory.ts";
import { paddedSide, type RadialMask, solveVolume } from "./volume.ts";

/** What a volume is solved with. */
export interface Solve {
  readonly kMax: number;
  /** `[kMax + 1]` variance of a noise coefficient by shell. */
  readonly noise: Float64Array;
  /** `[kMax + 1]` expected power of a coefficient of the class by shell. */
  readonly signal: Float64Array;
  readonly mask: RadialMask;
}

/** Sums of a grid step for one class. */
export interface GridSums extends Solve {
  readonly set: BoxSet;
  readonly rotations: Float32Array;
  /** `[rotations, coefficients]` complex, over noise deviation. */
  readonly sums: Float32Array;
  /** `[groups, rotations]`. */
  readonly mass: Float32Array;
}

/** Boxes with one pose each and a weight. */
export interface PosedBoxes extends Solve {
  readonly set: BoxSet;
  readonly members: Int32Array;
  /** `[n]`. */
  readonly weights: Float32Array;
  /** `[n, 12]` rotation and shift. */
  readonly poses: Float32Array;
  /** False: a volume whose coefficients are to be read. */
  readonly forSlices?: boolean;
}

/** Weights below this are not inserted. */
const LEAST = 1e-3;
/** Boxes inserted at a time. */
const BLOCK = 64;

/** Volume of one class from a grid step. */
export function volumeFromGrid(input: GridSums): Float32Array {
  const { C, G, ks, scale, spread, grid, weight, side } = prepare(input, input.set);
  simd.insert(
    grid,
    weight,
    side,
    put("rotations", input.rotations),
    input.rotations.length / 9,
    ks,
    C,
    scale,
    put("insertRows", input.sums),
    put("insertMass", input.mass),
    spread,
    G,
  );
  return solve(input, grid, weight, side);
}

/** Volume of one class from boxes with known poses. */
export function volumeFromPoses(input: PosedBoxes): Float32Array {
  const { set, members, weights, poses } = input;
  const { C, G, ks, scale, spread, grid, weight, side } = prepare(input, set);
  const chosen = Array.from(members.keys()).filter((i) => weights[i] >= LEAST);
  const rows = reserve("insertRows", 8 * BLOCK * C), row = reserve("row", 8 * C), shift = reserve("shifts", 12);
  const rotations = reserve("rotations", 36 * BLOCK), mass = reserve("insertMass", 4 * G * BLOCK);
  const scales = floats(scale, C).slice();
  for (let first = 0; first < chosen.length; first += BLOCK) {
    const part = chosen.slice(first, first + BLOCK);
    floats(mass, G * part.length).fill(0);
    part.forEach((j, b) => {
      const i = members[j];
      writeRow(set, i, scales.map((value) => value * weights[j]), row);
      floats(shift, 3).set(poses.subarray(12 * j + 9, 12 * j + 12));
      floats(rotations + 36 * b, 9).set(poses.subarray(12 * j, 12 * j + 9));
      floats(mass, G * part.length)[set.groups[i] * part.length + b] = weights[j];
      simd.shiftRows(row, rows + 8 * b * C, ks, C, shift, 1, set.boxVoxels);
    });
    simd.insert(grid, weight, side, rotations, part.length, ks, C, scale, rows, mass, spread, G);
  }
  return solve(input, grid, weight, side, input.forSlices ?? true);
}

function prepare(input: Solve, set: BoxSet) {
  const { order } = set, C = order.upTo[input.kMax], stored = order.count;
  const G = wedgeCount(set), side = paddedSide(input.kMax);
  const scale = inverseDeviations(order, C, input.noise);
  const spread = new Float32Array(G * C);
  for (let g = 0; g < G; g++) {
    for (let c = 0; c < C; c++) spread[g * C + c] = (set.wedges[g * stored + c] * scale[c]) ** 2;
  }
  return {
    C,
    G,
    side,
    ks: put("ks", order.ksXyz.subarray(0, 3 * C)),
    scale: put("scale", scale),
    spread: put("spread", spread),
    grid: zeros("grid", 2 * side ** 3),
    weight: zeros("gridWeight", side ** 3),
  };
}

function solve(input: Solve, grid: number, weight: number, side: number, forSlices = true): Float32Array {
  const sums = floats(grid, 2 * side ** 3).slice(), weights = floats(weight, side ** 3).slice();
  return solveVolume(sums, weights, input.kMax, input.signal, input.mask, forSlices);
}
