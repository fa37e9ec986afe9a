/**
 * Boxes loaded once for a refinement, and the three heavy steps on them, shared out over the worker pool.
 *
 * Shares depend on the boxes alone, never on the number of workers, and are added up in order: results are the same on any machine size.
 * @module
 */
import type { Geometry, Pool, Random } from "../../../streams/contract.ts";
import { type BoxSet, wedgeCount } from "../../kernels/alignment/box_set.ts";
import { boxCoefficients, coefficientOrder, wedgeOf } from "../../kernels/alignment/coefficients.ts";
import type { ClimbOutcome, ClimbStep } from "../../kernels/alignment/climb.ts";
import type { GridOutcome, GridStep } from "../../kernels/alignment/expectation.ts";
import type { RadialMask } from "../../kernels/alignment/volume.ts";
import { createRandom } from "../../kernels/random.ts";
import { superFibonacciRotations } from "../../kernels/super_fibonacci.ts";
import { tiltRangeOf } from "../../kernels/wedge.ts";
import { joinDoubles, joinFloats } from "./join.ts";

const EXPECTATION = new URL("../../kernels/alignment/expectation.ts", import.meta.url).href;
const MAXIMISATION = new URL("../../kernels/alignment/maximisation.ts", import.meta.url).href;
const SYNTHESIS = new URL("../../kernels/alignment/synthesis.ts", import.meta.url).href;
const CLIMB = new URL("../../kernels/alignment/climb.ts", import.meta.url).href;

/** Boxes of one share of a step: small enough to balance workers, large enough to make slices worth it. */
const SHARE = 125;
/** Shares at most: each returns sums as large as all slices. */
const SHARES = 8;
/** Bytes that the sums of all shares of a step may take. */
const SUM_BYTES = 384e6;
/** Boxes on which the temperature is found. */
const SAMPLE = 16;
/** Boxes read from the store at a time. */
const READ = 128;

/** Frequencies and rotations of one level of a refinement. */
export interface Level {
  readonly kMax: number;
  readonly rotations: number;
}

/** What a set of references is. */
export interface References {
  readonly kMax: number;
  readonly volumes: readonly Float32Array[];
  /** `[k]` share of the boxes in each class. */
  readonly weights: Float64Array;
}

/** How a climb goes: see {@linkcode ClimbStep}. */
export type Climb = Pick<ClimbStep, "angle" | "rounds" | "reachVoxels">;

/** Where boxes come from. */
export interface BoxSource {
  readonly count: number;
  readonly boxVoxels: number;
  geometryOf(index: number): Geometry;
  /** `[count, b, b, b]` from `first` on. */
  read(first: number, count: number): Promise<Float32Array>;
}

/** What a session needs beside boxes. */
export interface SessionSettings {
  /** Highest frequency kept, cycles a box. */
  readonly kMax: number;
  /** Share of the boxes that only judge references, never make them. */
  readonly heldOut: number;
  readonly seed: number;
  readonly pool: Pool;
  readonly signal: AbortSignal;
  /** Keep coefficients that no wedge measures, too: then no box's result depends on which others were loaded. */
  readonly whole?: boolean;
}

/** Loaded boxes. */
export class Session {
  readonly pool: Pool;
  readonly signal: AbortSignal;
  readonly seed: number;
  readonly kMax: number;
  readonly count: number;
  readonly set: BoxSet;
  /** `[count, kMax + 1]` summed power of a box by shell, inside its wedge. */
  readonly power: Float64Array;
  /** `[groups, kMax + 1]` measured coefficients by shell. */
  readonly measured: Float64Array;
  /** `[count, 3]` where each box's particle is thought to be, from the box's centre. */
  readonly offsets: Float32Array;
  /** `[count]` 1: used to make references; 0: only judged by them. */
  readonly training: Uint8Array;
  /** `[kMax + 1]` variance of a noise coefficient. */
  noise: Float64Array;
  readonly mask: RadialMask = { inner: 0.38, outer: 0.46 };
  #rotations = new Map<string, Float32Array>();

  private constructor(settings: SessionSettings, set: BoxSet, count: number) {
    const { kMax, heldOut } = settings;
    this.pool = settings.pool;
    this.signal = settings.signal;
    this.seed = settings.seed;
    this.kMax = kMax;
    this.set = set;
    this.count = count;
    this.offsets = new Float32Array(3 * count);
    this.training = new Uint8Array(count).fill(1);
    this.random("held out").permutation(count).subarray(0, Math.round(heldOut * count)).forEach((i) => this.training[i] = 0);
    const { order } = set, C = order.count, shells = kMax + 1, groups = wedgeCount(set);
    this.power = new Float64Array(count * shells);
    this.measured = new Float64Array(groups * shells);
    for (let g = 0; g < groups; g++) {
      for (let c = 0; c < C; c++) if (order.shells[c] <= kMax) this.measured[g * shells + order.shells[c]] += set.wedges[g * C + c];
    }
    for (let i = 0; i < count; i++) {
      for (let c = 0, at = 2 * i * C; c < C; c++, at += 2) {
        const value = set.coefficients[at] ** 2 + set.coefficients[at + 1] ** 2;
        if (order.shells[c] <= kMax) this.power[i * shells + order.shells[c]] += value * set.wedges[set.groups[i] * C + c];
      }
    }
    const floor = Math.min(...this.meanPower());
    this.noise = this.meanPower().map(() => 0.9 * floor);
  }

  /** Reads boxes and takes the noise to be white at first. */
  static async open(source: BoxSource, settings: SessionSettings): Promise<Session> {
    const b = source.boxVoxels, n = source.count, { kMax, signal } = settings;
    const groups = new Int32Array(new SharedArrayBuffer(4 * n));
    const names = new Map<string, number>(), wedges: ((x: number, y: number, z: number) => number)[] = [];
    for (let i = 0; i < n; i++) {
      const geometry = source.geometryOf(i), range = tiltRangeOf(geometry);
      const name = range ? `${Math.round(range[0])} ${Math.round(range[1])} ${geometry.tiltAxis} ${geometry.handedness === -1}` : "unknown";
      let group = names.get(name);
      if (group === undefined) {
        names.set(name, group = wedges.length);
        wedges.push(wedgeOf(geometry, b) ?? (() => 1));
      }
      groups[i] = group;
    }
    // What no tomogram measures is neither stored nor computed, unless a box's result must not depend on the others at all.
    const wanted = settings.whole ? undefined : (x: number, y: number, z: number) => wedges.some((wedge) => wedge(x, y, z) > 0);
    const order = coefficientOrder(kMax, wanted), C = order.count;
    const table = new Float32Array(new SharedArrayBuffer(4 * wedges.length * C));
    wedges.forEach((wedge, g) => {
      for (let c = 0; c < C; c++) table[g * C + c] = wedge(order.ksXyz[3 * c], order.ksXyz[3 * c + 1], order.ksXyz[3 * c + 2]);
    });
    const coefficients = new Float32Array(new SharedArrayBuffer(8 * n * C));
    for (let first = 0; first < n; first += READ) {
      signal.throwIfAborted();
      const count = Math.min(READ, n - first);
      coefficients.set(boxCoefficients(await source.read(first, count), count, b, order), 2 * first * C);
    }
    return new Session(settings, { boxVoxels: b, order, coefficients, wedges: table, groups }, n);
  }

  /**
   * A session of boxes that one reference would give at the poses `[n, 12]` of `members`, with this session's wedges and noise: what a class
   * looks like that is certainly one structure. The same members are held out.
   */
  async synthetic(members: Int32Array, poses: Float32Array, volume: Float32Array, kMax: number): Promise<Session> {
    const seed = this.random("synthetic").integer(2 ** 31), { noise, set } = this;
    const coefficients = await this.pool.run<Float32Array>(SYNTHESIS, "synthesiseBoxes", [{
      set,
      members,
      poses,
      volume,
      kMax,
      noise,
      seed,
    }], {
      signal: this.signal,
    });
    const groups = new Int32Array(new SharedArrayBuffer(4 * members.length));
    members.forEach((i, j) => groups[j] = set.groups[i]);
    const settings = { kMax: this.kMax, heldOut: 0, seed: this.seed, pool: this.pool, signal: this.signal };
    const session = new Session(settings, { ...set, coefficients, groups }, members.length);
    members.forEach((i, j) => session.training[j] = this.training[i]);
    session.noise = noise.slice();
    return session;
  }

  /** Mean power of a measured coefficient by shell, over `members` or all; shell 0 repeats shell 1. */
  meanPower(members?: Int32Array): Float64Array {
    const shells = this.kMax + 1, sums = new Float64Array(shells), counts = new Float64Array(shells);
    const add = (i: number) => {
      for (let s = 0; s < shells; s++) {
        sums[s] += this.power[i * shells + s];
        counts[s] += this.measured[this.set.groups[i] * shells + s];
      }
    };
    if (members) members.forEach(add);
    else for (let i = 0; i < this.count; i++) add(i);
    const mean = sums.map((sum, s) => sum / Math.max(1, counts[s]));
    mean[0] = mean[1];
    return mean;
  }

  /** Expected power of a coefficient of the particles by shell: what the noise leaves, never less than a fiftieth of it. */
  signalPower(): Float64Array {
    return this.meanPower().map((p, s) => Math.max(p - this.noise[s], 0.02 * this.noise[s]));
  }

  random(...key: (string | number)[]): Random {
    return createRandom(this.seed, "em", ...key);
  }

  /** The rotations of a level; the same for the whole refinement. */
  rotationsOf(level: Level): Float32Array {
    const key = `${level.rotations}`;
    let rotations = this.#rotations.get(key);
    if (!rotations) {
      this.#rotations.set(key, rotations = superFibonacciRotations(level.rotations, this.random("rotations", level.rotations)));
    }
    return rotations;
  }

  /** Splits members into shares. */
  shares(members: Int32Array, most = Infinity): Int32Array[] {
    const parts = Math.max(1, Math.min(SHARES, most, Math.round(members.length / SHARE)));
    return Array.from(
      { length: parts },
      (_, p) => members.slice(Math.floor(p * members.length / parts), Math.floor((p + 1) * members.length / parts)),
    );
  }

  /** Members that references are made from. */
  trainingOf(members: Int32Array): Int32Array {
    return members.filter((i) => this.training[i] === 1);
  }

  #step(members: Int32Array, references: References, level: Level, beta: number, shifts: Float32Array, sums: boolean): GridStep {
    return {
      set: this.set,
      members,
      kMax: level.kMax,
      rotations: this.rotationsOf(level),
      volumes: references.volumes,
      prior: Float32Array.from(references.weights, (w) => Math.log(Math.max(w, 1e-6))),
      noise: this.noise.slice(0, level.kMax + 1),
      beta,
      offsets: this.offsets,
      shifts,
      sums,
    };
  }

  /** The inverse temperature that gives the posterior of a sample of `members` a mean entropy of `entropy` nats; at most 1. */
  temperature(members: Int32Array, references: References, level: Level, shifts: Float32Array, entropy: number): Promise<number> {
    const stride = Math.max(1, members.length / SAMPLE);
    const sample = Int32Array.from({ length: Math.min(SAMPLE, members.length) }, (_, j) => members[Math.floor(j * stride)]);
    return this.pool.run<number>(EXPECTATION, "temperature", [this.#step(sample, references, level, 1, shifts, false), entropy], {
      signal: this.signal,
    });
  }

  /** One expectation step over `members`; sums are added up over the shares. */
  async grid(
    members: Int32Array,
    references: References,
    level: Level,
    beta: number,
    shifts: Float32Array,
    sums: boolean,
    offsets = this.offsets,
  ): Promise<GridOutcome> {
    const bytes = references.volumes.length * level.rotations * this.set.order.upTo[level.kMax] * 8;
    const outcomes = await Promise.all(
      this.shares(members, Math.floor(SUM_BYTES / bytes)).map((part) =>
        this.pool.run<GridOutcome>(EXPECTATION, "expectation", [{ ...this.#step(part, references, level, beta, shifts, sums), offsets }], {
          signal: this.signal,
        })
      ),
    );
    const first = outcomes[0];
    for (const other of outcomes.slice(1)) {
      for (let i = 0; i < first.sums.length; i++) first.sums[i] += other.sums[i];
      for (let i = 0; i < first.mass.length; i++) first.mass[i] += other.mass[i];
      for (let i = 0; i < first.residual.length; i++) first.residual[i] += other.residual[i];
    }
    return {
      sums: first.sums,
      mass: first.mass,
      residual: first.residual,
      evidence: joinDoubles(outcomes.map((o) => o.evidence)),
      best: joinFloats(outcomes.map((o) => o.best)),
      bestRotation: Int32Array.from(outcomes.flatMap((o) => [...o.bestRotation])),
      bestOffset: joinFloats(outcomes.map((o) => o.bestOffset)),
      meanOffset: joinFloats(outcomes.map((o) => o.meanOffset)),
    };
  }

  /** New volumes from the sums of a grid step. */
  solve(outcome: GridOutcome, classes: number, level: Level): Promise<Float32Array[]> {
    const rotations = this.rotationsOf(level), R = level.rotations, C = this.set.order.upTo[level.kMax];
    const groups = wedgeCount(this.set), signal = this.signalPower().slice(0, level.kMax + 1);
    return Promise.all(Array.from({ length: classes }, (_, k) => {
      const mass = new Float32Array(groups * R);
      for (let g = 0; g < groups; g++) mass.set(outcome.mass.subarray((g * classes + k) * R, (g * classes + k + 1) * R), g * R);
      const sums = outcome.sums.slice(2 * k * R * C, 2 * (k + 1) * R * C);
      return this.pool.run<Float32Array>(MAXIMISATION, "volumeFromGrid", [{
        set: this.set,
        rotations,
        sums,
        mass,
        kMax: level.kMax,
        noise: this.noise.slice(0, level.kMax + 1),
        signal,
        mask: this.mask,
      }], { transfer: [sums.buffer], signal: this.signal });
    }));
  }

  /** New volumes from one pose a box and class: `weights` [n, k], `poses` [n, k, 12]; `expected` [kMax + 1] is the signal power by shell. */
  solvePoses(
    members: Int32Array,
    weights: Float32Array,
    poses: Float32Array,
    classes: number,
    kMax: number,
    forSlices = true,
    expected = this.signalPower(),
  ): Promise<Float32Array[]> {
    const signal = expected.slice(0, kMax + 1);
    return Promise.all(Array.from({ length: classes }, (_, k) => {
      const own = new Float32Array(12 * members.length);
      for (let i = 0; i < members.length; i++) own.set(poses.subarray(12 * (i * classes + k), 12 * (i * classes + k + 1)), 12 * i);
      return this.pool.run<Float32Array>(MAXIMISATION, "volumeFromPoses", [{
        set: this.set,
        members,
        weights: Float32Array.from(members, (_, i) => weights[i * classes + k]),
        poses: own,
        kMax,
        noise: this.noise.slice(0, kMax + 1),
        signal,
        mask: this.mask,
        forSlices,
      }], { signal: this.signal });
    }));
  }

  /** Climbs from `poses` [n, k, 12] of likelihood [n, k]; the residual counts the members that `judges` [n] flags. */
  async climb(
    members: Int32Array,
    references: References,
    poses: Float32Array,
    likelihood: Float64Array,
    climb: Climb,
    judges: Uint8Array,
  ): Promise<ClimbOutcome> {
    const K = references.volumes.length;
    let at = 0;
    const outcomes = await Promise.all(
      this.shares(members).map((part) => {
        const step: ClimbStep = {
          set: this.set,
          members: part,
          kMax: references.kMax,
          volumes: references.volumes,
          noise: this.noise.slice(0, references.kMax + 1),
          poses: poses.slice(12 * K * at, 12 * K * (at + part.length)),
          likelihood: likelihood.slice(K * at, K * (at + part.length)),
          judges: judges.slice(at, at + part.length),
          ...climb,
        };
        at += part.length;
        return this.pool.run<ClimbOutcome>(CLIMB, "climbPoses", [step], { signal: this.signal });
      }),
    );
    const residual = outcomes[0].residual;
    for (const other of outcomes.slice(1)) for (let c = 0; c < residual.length; c++) residual[c] += other.residual[c];
    return { poses: joinFloats(outcomes.map((o) => o.poses)), likelihood: joinDoubles(outcomes.map((o) => o.likelihood)), residual };
  }

  /** Takes the noise power of shells up to kMax from what a step left unexplained in `members`. */
  updateNoise(members: Int32Array, residual: Float64Array, kMax: number): void {
    const { order } = this.set, shells = this.kMax + 1;
    const sums = new Float64Array(kMax + 1), counts = new Float64Array(kMax + 1);
    for (const i of members) {
      for (let s = 1; s <= kMax; s++) {
        sums[s] += this.power[i * shells + s];
        counts[s] += this.measured[this.set.groups[i] * shells + s];
      }
    }
    residual.forEach((value, c) => {
      if (order.shells[c] <= kMax) sums[order.shells[c]] += value * this.noise[order.shells[c]];
    });
    // A reference cannot explain more than nearly everything.
    for (let s = 1; s <= kMax; s++) {
      if (counts[s] > 0) this.noise[s] = Math.max(sums[s] / counts[s], 0.02 * this.meanPower()[s]);
    }
    this.noise[0] = this.noise[1];
  }
}
