// Symmetric filters on lines of float32, response statistics and local maxima. Built by build.ts; called by ../blur.ts and ../dog.ts.
// A filter is half of a symmetric one: weight 0 is the centre's, weight i that of both neighbours at distance i.

/** Reserves bytes aligned to 16. */
export function alloc(bytes: usize): usize {
  return heap.alloc(bytes);
}

/** Gives room back. */
export function release(pointer: usize): void {
  heap.free(pointer);
}

/** out = row - offset; `width` is a multiple of 4. */
export function subtract(row: usize, width: i32, offset: f32): void {
  const o = f32x4.splat(offset);
  for (let i = row, end = row + (<usize>width << 2); i < end; i += 16) v128.store(i, f32x4.sub(v128.load(i), o));
}

/**
 * One filter across lines: out[x] = sum of w[|i|] line_i[x], line_i being `step` bytes after line_(i-1) and `centre` line 0.
 * With a step of 4 it filters along x. `width` is a multiple of 4; reads reach up to 12 floats beyond it.
 */
export function filter(centre: usize, step: usize, width: i32, weights: usize, reach: i32, out: usize): void {
  const w0 = v128.load32_splat(weights), last = weights + (<usize>reach << 2);
  const end = <usize>width << 2;
  let x: usize = 0;
  for (; x + 64 <= end; x += 64) {
    const at = centre + x;
    let a = f32x4.mul(w0, v128.load(at)), b = f32x4.mul(w0, v128.load(at, 16));
    let c = f32x4.mul(w0, v128.load(at, 32)), d = f32x4.mul(w0, v128.load(at, 48));
    let up = at, down = at;
    for (let w = weights + 4; w <= last; w += 4) {
      up += step;
      down -= step;
      const k = v128.load32_splat(w);
      a = f32x4.add(a, f32x4.mul(k, f32x4.add(v128.load(up), v128.load(down))));
      b = f32x4.add(b, f32x4.mul(k, f32x4.add(v128.load(up, 16), v128.load(down, 16))));
      c = f32x4.add(c, f32x4.mul(k, f32x4.add(v128.load(up, 32), v128.load(down, 32))));
      d = f32x4.add(d, f32x4.mul(k, f32x4.add(v128.load(up, 48), v128.load(down, 48))));
    }
    const to = out + x;
    v128.store(to, a);
    v128.store(to, b, 16);
    v128.store(to, c, 32);
    v128.store(to, d, 48);
  }
  for (; x < end; x += 16) {
    const at = centre + x;
    let a = f32x4.mul(w0, v128.load(at));
    let up = at, down = at;
    for (let w = weights + 4; w <= last; w += 4) {
      up += step;
      down -= step;
      a = f32x4.add(a, f32x4.mul(v128.load32_splat(w), f32x4.add(v128.load(up), v128.load(down))));
    }
    v128.store(out + x, a);
  }
}

/** Two filters over the same lines in one reading; `reachB` is at most `reachA`. */
export function filterTwice(
  centre: usize, step: usize, width: i32,
  weightsA: usize, reachA: i32, outA: usize,
  weightsB: usize, reachB: i32, outB: usize,
): void {
  const a0 = v128.load32_splat(weightsA), b0 = v128.load32_splat(weightsB);
  const near = <usize>reachB << 2, far = <usize>reachA << 2, end = <usize>width << 2;
  for (let x: usize = 0; x < end; x += 32) {
    const at = centre + x;
    let v = v128.load(at), u = v128.load(at, 16);
    let a = f32x4.mul(a0, v), c = f32x4.mul(a0, u), b = f32x4.mul(b0, v), d = f32x4.mul(b0, u);
    let up = at, down = at;
    let i: usize = 4;
    for (; i <= near; i += 4) {
      up += step;
      down -= step;
      v = f32x4.add(v128.load(up), v128.load(down));
      u = f32x4.add(v128.load(up, 16), v128.load(down, 16));
      let k = v128.load32_splat(weightsA + i);
      a = f32x4.add(a, f32x4.mul(k, v));
      c = f32x4.add(c, f32x4.mul(k, u));
      k = v128.load32_splat(weightsB + i);
      b = f32x4.add(b, f32x4.mul(k, v));
      d = f32x4.add(d, f32x4.mul(k, u));
    }
    for (; i <= far; i += 4) {
      up += step;
      down -= step;
      const k = v128.load32_splat(weightsA + i);
      a = f32x4.add(a, f32x4.mul(k, f32x4.add(v128.load(up), v128.load(down))));
      c = f32x4.add(c, f32x4.mul(k, f32x4.add(v128.load(up, 16), v128.load(down, 16))));
    }
    v128.store(outA + x, a);
    v128.store(outA + x, c, 16);
    v128.store(outB + x, b);
    v128.store(outB + x, d, 16);
  }
}

/** line -= other; `width` is a multiple of 4. */
export function subtractLine(line: usize, other: usize, width: i32): void {
  for (let i: usize = 0, end = <usize>width << 2; i < end; i += 16) v128.store(line + i, f32x4.sub(v128.load(line + i), v128.load(other + i)));
}

/**
 * Adds a line's values to `histogram` (2^18 u32, by the upper 18 bits of the float) and its sum and sum of squares to two f64 at `sums`.
 */
export function tally(line: usize, count: i32, histogram: usize, sums: usize): void {
  let sum: f64 = 0, square: f64 = 0;
  for (let i = line, end = line + (<usize>count << 2); i < end; i += 4) {
    const v = load<f32>(i), d = <f64>v;
    sum += d;
    square += d * d;
    const bin = histogram + ((load<u32>(i) >>> 14) << 2);
    store<u32>(bin, load<u32>(bin) + 1);
  }
  store<f64>(sums, load<f64>(sums) + sum);
  store<f64>(sums, load<f64>(sums, 8) + square, 8);
}

/**
 * Finds the positive voxels of a line that no neighbour of 26 exceeds; of equal neighbours the first in z, y, x order counts.
 *
 * `line` is the line's first voxel, `before` and `after` the same line's in the planes before and after; lines lie `stepY` bytes apart. Writes,
 * for each, its index in the line, its value, its offsets along x, y and z by a parabola through three voxels, and the second differences xx,
 * yy, zz, xy, xz, yz: eleven f32. Returns their number, at most `room`.
 */
export function findMaxima(line: usize, before: usize, after: usize, count: i32, stepY: usize, out: usize, room: i32): i32 {
  let found = 0;
  for (let x = 0; x < count && found < room; x++) {
    const at = line + (<usize>x << 2), v = load<f32>(at);
    if (!(v > 0) || !(v > load<f32>(at - 4)) || !(v >= load<f32>(at, 4))) continue;
    const north = at - stepY, south = at + stepY;
    if (!(v > load<f32>(north)) || !(v >= load<f32>(south))) continue;
    if (!(v > load<f32>(north - 4)) || !(v > load<f32>(north, 4)) || !(v >= load<f32>(south - 4)) || !(v >= load<f32>(south, 4))) continue;
    const low = before + (<usize>x << 2), high = after + (<usize>x << 2);
    if (!(v > largest(low, stepY)) || !(v >= largest(high, stepY))) continue;
    const to = out + <usize>found * 44;
    store<f32>(to, <f32>x);
    store<f32>(to, v, 4);
    store<f32>(to, vertex(load<f32>(at - 4), v, load<f32>(at, 4)), 8);
    store<f32>(to, vertex(load<f32>(north), v, load<f32>(south)), 12);
    store<f32>(to, vertex(load<f32>(low), v, load<f32>(high)), 16);
    store<f32>(to, load<f32>(at - 4) - 2 * v + load<f32>(at, 4), 20);
    store<f32>(to, load<f32>(north) - 2 * v + load<f32>(south), 24);
    store<f32>(to, load<f32>(low) - 2 * v + load<f32>(high), 28);
    store<f32>(to, 0.25 * (load<f32>(south, 4) - load<f32>(south - 4) - load<f32>(north, 4) + load<f32>(north - 4)), 32);
    store<f32>(to, 0.25 * (load<f32>(high, 4) - load<f32>(high - 4) - load<f32>(low, 4) + load<f32>(low - 4)), 36);
    store<f32>(to, 0.25 * (load<f32>(high + stepY) - load<f32>(high - stepY) - load<f32>(low + stepY) + load<f32>(low - stepY)), 40);
    found++;
  }
  return found;
}

/** Largest of nine voxels about `at`. */
@inline
function largest(at: usize, stepY: usize): f32 {
  const a = max(max(load<f32>(at - stepY - 4), load<f32>(at - stepY)), load<f32>(at - stepY, 4));
  const b = max(max(load<f32>(at - 4), load<f32>(at)), load<f32>(at, 4));
  const c = max(max(load<f32>(at + stepY - 4), load<f32>(at + stepY)), load<f32>(at + stepY, 4));
  return max(max(a, b), c);
}

/** Where the parabola through values at -1, 0, 1 has its top, within half a voxel; 0 at the volume's edge, where a neighbour is -Infinity. */
@inline
function vertex(left: f32, middle: f32, right: f32): f32 {
  const bend = left - 2 * middle + right;
  if (!(bend < 0) || bend == -Infinity) return 0;
  return max<f32>(-0.5, min<f32>(0.5, 0.5 * (left - right) / bend));
}
