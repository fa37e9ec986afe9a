// Small cubic boxes in float32 SIMD: cosine-transform filtering, cubic B-spline rotation, masking and moments.
// Boxes live in rows of `row` floats, row = box size rounded up to 4; matrices are row-major with the same row length.
// Built by plugins/kernels/simd/build.ts; called by ../prepare.ts and ../rotate.ts.

/** Reserves `bytes` bytes aligned to 16; never freed: callers keep one plan a box size. */
export function alloc(bytes: usize): usize {
  return heap.alloc(bytes);
}

/** Spreads `n` x `n` rows of `n` floats into rows of `row` floats; the rest of each row becomes 0. */
export function spread(from: usize, to: usize, n: i32, row: i32): void {
  const rows = n * n;
  for (let r = 0; r < rows; r++) {
    const target = to + ((r * row) << 2);
    memory.copy(target, from + ((r * n) << 2), n << 2);
    for (let x = n; x < row; x++) store<f32>(target + (x << 2), 0);
  }
}

/** The inverse of `spread`. */
export function gather(from: usize, to: usize, n: i32, row: i32): void {
  const rows = n * n;
  for (let r = 0; r < rows; r++) memory.copy(to + ((r * n) << 2), from + ((r * row) << 2), n << 2);
}

/** C [m, n] = A [m, p] B [p, n]; n is a multiple of 4; strides in floats. */
function multiply(a: usize, b: usize, c: usize, m: i32, p: i32, n: i32, strideA: i32, strideB: i32, strideC: i32): void {
  const sa = <usize>strideA << 2, sb = <usize>strideB << 2, sc = <usize>strideC << 2;
  let i = 0;
  for (; i + 4 <= m; i += 4) {
    const a0 = a + <usize>i * sa, c0 = c + <usize>i * sc;
    const a1 = a0 + sa, a2 = a1 + sa, a3 = a2 + sa;
    let j = 0;
    for (; j + 8 <= n; j += 8) {
      let s00 = f32x4.splat(0), s01 = s00, s10 = s00, s11 = s00, s20 = s00, s21 = s00, s30 = s00, s31 = s00;
      let at = b + (<usize>j << 2);
      for (let k: usize = 0, end = <usize>p << 2; k < end; k += 4) {
        const b0 = v128.load(at), b1 = v128.load(at, 16);
        at += sb;
        let v = v128.load32_splat(a0 + k);
        s00 = f32x4.add(s00, f32x4.mul(v, b0));
        s01 = f32x4.add(s01, f32x4.mul(v, b1));
        v = v128.load32_splat(a1 + k);
        s10 = f32x4.add(s10, f32x4.mul(v, b0));
        s11 = f32x4.add(s11, f32x4.mul(v, b1));
        v = v128.load32_splat(a2 + k);
        s20 = f32x4.add(s20, f32x4.mul(v, b0));
        s21 = f32x4.add(s21, f32x4.mul(v, b1));
        v = v128.load32_splat(a3 + k);
        s30 = f32x4.add(s30, f32x4.mul(v, b0));
        s31 = f32x4.add(s31, f32x4.mul(v, b1));
      }
      const t = c0 + (<usize>j << 2);
      v128.store(t, s00);
      v128.store(t, s01, 16);
      v128.store(t + sc, s10);
      v128.store(t + sc, s11, 16);
      v128.store(t + 2 * sc, s20);
      v128.store(t + 2 * sc, s21, 16);
      v128.store(t + 3 * sc, s30);
      v128.store(t + 3 * sc, s31, 16);
    }
    for (; j < n; j += 4) {
      let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
      let at = b + (<usize>j << 2);
      for (let k: usize = 0, end = <usize>p << 2; k < end; k += 4) {
        const b0 = v128.load(at);
        at += sb;
        s0 = f32x4.add(s0, f32x4.mul(v128.load32_splat(a0 + k), b0));
        s1 = f32x4.add(s1, f32x4.mul(v128.load32_splat(a1 + k), b0));
        s2 = f32x4.add(s2, f32x4.mul(v128.load32_splat(a2 + k), b0));
        s3 = f32x4.add(s3, f32x4.mul(v128.load32_splat(a3 + k), b0));
      }
      const t = c0 + (<usize>j << 2);
      v128.store(t, s0);
      v128.store(t + sc, s1);
      v128.store(t + 2 * sc, s2);
      v128.store(t + 3 * sc, s3);
    }
  }
  for (; i < m; i++) {
    const a0 = a + <usize>i * sa, c0 = c + <usize>i * sc;
    for (let j = 0; j < n; j += 4) {
      let s0 = f32x4.splat(0);
      let at = b + (<usize>j << 2);
      for (let k: usize = 0, end = <usize>p << 2; k < end; k += 4) {
        s0 = f32x4.add(s0, f32x4.mul(v128.load32_splat(a0 + k), v128.load(at)));
        at += sb;
      }
      v128.store(c0 + (<usize>j << 2), s0);
    }
  }
}

/**
 * Multiplies the cosine transform of `box` by `gain` [n, n, row] in place. `cosines` holds the orthonormal DCT-II, one frequency a row;
 * `transposed` its transpose. `work` is another box.
 */
export function filterBox(box: usize, work: usize, cosines: usize, transposed: usize, gain: usize, n: i32, row: i32): void {
  const plane = n * row, step = <usize>plane << 2;
  multiply(cosines, box, work, n, n, plane, row, plane, plane);
  for (let z = 0; z < n; z++) multiply(cosines, work + <usize>z * step, box + <usize>z * step, n, n, row, row, row, row);
  multiply(box, transposed, work, n * n, n, row, row, row, row);
  for (let i: usize = 0, end = <usize>n * step; i < end; i += 16) v128.store(work + i, f32x4.mul(v128.load(work + i), v128.load(gain + i)));
  multiply(work, cosines, box, n * n, n, row, row, row, row);
  for (let z = 0; z < n; z++) multiply(transposed, box + <usize>z * step, work + <usize>z * step, n, n, row, row, row, row);
  multiply(transposed, work, box, n, n, plane, row, plane, plane);
}

/** z1 of the cubic B-spline: sqrt(3) - 2. */
const POLE: f32 = -0.267949192431;

/** Gain of the recursion, per axis: (1 - z1) (1 - 1 / z1) = 6. */
const GAIN: f32 = 6;

/** First causal value of a half-sample mirrored line: x0 + z1 * sum of z1^i x_i (the mirrored past), cut where z1^i < 1e-9. */
@inline
function horizon(n: i32): i32 {
  return n < 16 ? n : 16;
}

/** Cubic B-spline coefficients of a box, half-sample mirrored at its faces (SciPy's `reflect`), in place. */
export function splineCoefficients(box: usize, n: i32, row: i32): void {
  const plane = n * row;
  // Along z, all of a plane at once.
  recurse(box, n, <usize>plane << 2, plane);
  for (let z = 0; z < n; z++) recurse(box + (<usize>(z * plane) << 2), n, <usize>row << 2, row);
  const rows = n * n;
  let r = 0;
  for (; r + 4 <= rows; r += 4) recurseLines(box + (<usize>(r * row) << 2), n, <usize>row << 2);
  for (; r < rows; r++) recurseLines(box + (<usize>(r * row) << 2), n, 0);
}

/** The recursion along the slow axis of [n, width] with `step` bytes between rows; width is a multiple of 4. Row after row, for the cache. */
function recurse(at: usize, n: i32, step: usize, width: i32): void {
  const z1 = f32x4.splat(POLE), gain = f32x4.splat(GAIN), reach = horizon(n), end = <usize>width << 2;
  // The mirrored past of row 0: z1^(i+1) x_i over a period of 2 n; what is beyond `reach` is below 1e-9, so short lines sum exactly.
  const scale: f32 = n < 16 ? <f32>(1.0 / (1.0 - powInt(POLE, 2 * n))) : 1;
  let power: f32 = POLE * scale;
  const first = f32x4.splat(1 + power + (n < 16 ? <f32>(powInt(POLE, 2 * n)) * scale : 0));
  for (let j: usize = 0; j < end; j += 16) v128.store(at + j, f32x4.mul(first, v128.load(at + j)));
  for (let i = 1; i < reach; i++) {
    power *= POLE;
    const both = f32x4.splat(power + (n < 16 ? <f32>(powInt(POLE, 2 * n - i)) * scale : 0)), from = at + <usize>i * step;
    for (let j: usize = 0; j < end; j += 16) v128.store(at + j, f32x4.add(v128.load(at + j), f32x4.mul(both, v128.load(from + j))));
  }
  let p = at;
  for (let i = 1; i < n; i++) {
    for (let j = p + step, stop = j + end; j < stop; j += 16) v128.store(j, f32x4.add(v128.load(j), f32x4.mul(z1, v128.load(j - step))));
    p += step;
  }
  // Anticausal start for half-sample symmetry: z1 / (z1 - 1) times the last causal value. Rows are kept without the gain until used.
  const last = f32x4.splat(POLE / (POLE - 1));
  for (let j = p, stop = j + end; j < stop; j += 16) v128.store(j, f32x4.mul(last, v128.load(j)));
  for (let i = n - 2; i >= 0; i--) {
    p -= step;
    for (let j = p, stop = j + end; j < stop; j += 16) {
      const later = v128.load(j + step);
      v128.store(j, f32x4.mul(z1, f32x4.sub(later, v128.load(j))));
      v128.store(j + step, f32x4.mul(gain, later));
    }
  }
  for (let j = p, stop = j + end; j < stop; j += 16) v128.store(j, f32x4.mul(gain, v128.load(j)));
}

/** The recursion along four contiguous lines `step` bytes apart, side by side to hide its latency; with step 0 all four are one line. */
function recurseLines(line: usize, n: i32, step: usize): void {
  const l1 = line + step, l2 = l1 + step, l3 = l2 + step, reach = horizon(n);
  const scale: f32 = n < 16 ? <f32>(1.0 / (1.0 - powInt(POLE, 2 * n))) : 1;
  let power: f32 = 1, far: f32 = n < 16 ? <f32>powInt(POLE, 2 * n) : 0;
  let v = f32x4.splat(0);
  for (let i: usize = 0, end = <usize>reach << 2; i < end; i += 4) {
    power *= POLE;
    v = f32x4.add(v, f32x4.mul(f32x4.splat((power + far) * scale), column(line + i, l1 + i, l2 + i, l3 + i)));
    far /= POLE;
  }
  const z1 = f32x4.splat(POLE), gain = f32x4.splat(GAIN), end = <usize>n << 2;
  v = f32x4.add(v, column(line, l1, l2, l3));
  scatter(v, line, l1, l2, l3);
  for (let i: usize = 4; i < end; i += 4) {
    v = f32x4.add(column(line + i, l1 + i, l2 + i, l3 + i), f32x4.mul(z1, v));
    scatter(v, line + i, l1 + i, l2 + i, l3 + i);
  }
  let i = end - 4;
  v = f32x4.mul(f32x4.splat(POLE / (POLE - 1)), v);
  scatter(f32x4.mul(gain, v), line + i, l1 + i, l2 + i, l3 + i);
  while (i > 0) {
    i -= 4;
    v = f32x4.mul(z1, f32x4.sub(v, column(line + i, l1 + i, l2 + i, l3 + i)));
    scatter(f32x4.mul(gain, v), line + i, l1 + i, l2 + i, l3 + i);
  }
}

@inline
function column(a: usize, b: usize, c: usize, d: usize): v128 {
  return v128.load32_lane(d, v128.load32_lane(c, v128.load32_lane(b, v128.load32_zero(a), 1), 2), 3);
}

@inline
function scatter(v: v128, a: usize, b: usize, c: usize, d: usize): void {
  v128.store32_lane(a, v, 0);
  v128.store32_lane(b, v, 1);
  v128.store32_lane(c, v, 2);
  v128.store32_lane(d, v, 3);
}

function powInt(base: f64, n: i32): f64 {
  let out: f64 = 1;
  for (let i = 0; i < n; i++) out *= base;
  return out;
}

/** Index of `i` in a half-sample mirrored line of n. */
@inline
function mirror(i: i32, n: i32): i32 {
  let j = i % (2 * n);
  if (j < 0) j += 2 * n;
  return j < n ? j : 2 * n - 1 - j;
}

/** Copies a box into the middle of a cube of n + 2 pad voxels a side (rows of `wide` floats, a multiple of 4), mirrored at its faces. */
export function extend(box: usize, cube: usize, n: i32, row: i32, pad: i32, wide: i32): void {
  const side = n + 2 * pad, line = <usize>wide << 2, plane = line * <usize>side;
  for (let z = 0; z < n; z++) {
    const planeAt = cube + <usize>(z + pad) * plane;
    for (let y = 0; y < n; y++) {
      const to = planeAt + <usize>(y + pad) * line + (<usize>pad << 2);
      copy(box + (<usize>((z * n + y) * row) << 2), to, <usize>row << 2);
      for (let x = 1; x <= pad; x++) {
        const distance = <usize>mirror(-x, n) << 2;
        store<f32>(to - (<usize>x << 2), load<f32>(to + distance));
        store<f32>(to + (<usize>(n - 1 + x) << 2), load<f32>(to + (<usize>(n - 1) << 2) - distance));
      }
    }
    for (let y = 0; y < pad; y++) {
      copy(planeAt + <usize>(pad + mirror(y - pad, n)) * line, planeAt + <usize>y * line, line);
      copy(planeAt + <usize>(pad + mirror(n + y, n)) * line, planeAt + <usize>(pad + n + y) * line, line);
    }
  }
  for (let z = 0; z < pad; z++) {
    copy(cube + <usize>(pad + mirror(z - pad, n)) * plane, cube + <usize>z * plane, plane);
    copy(cube + <usize>(pad + mirror(n + z, n)) * plane, cube + <usize>(pad + n + z) * plane, plane);
  }
}

/** Copies `bytes` bytes, a multiple of 16. */
@inline
function copy(from: usize, to: usize, bytes: usize): void {
  for (let i: usize = 0; i < bytes; i += 16) v128.store(to + i, v128.load(from + i));
}

@inline
function planeSum(at: usize, step: usize, y0: v128, y1: v128, y2: v128, y3: v128): v128 {
  return f32x4.add(
    f32x4.add(f32x4.mul(y0, v128.load(at)), f32x4.mul(y1, v128.load(at + step))),
    f32x4.add(f32x4.mul(y2, v128.load(at + 2 * step)), f32x4.mul(y3, v128.load(at + 3 * step))),
  );
}

/**
 * Samples the spline in `cube` (see `extend`) at centre + T (p - centre) for every voxel p of `out` [n, n, row]. T is given by its columns
 * in x, y, z order: `t` points to nine f32, row-major. The centre is voxel floor(n / 2).
 */
export function sample(cube: usize, out: usize, t: usize, n: i32, row: i32, pad: i32, wide: i32): void {
  const c = n >> 1, side = n + 2 * pad, centre = <f32>(c + pad);
  const txx = load<f32>(t), txy = load<f32>(t, 4), txz = load<f32>(t, 8);
  const tyx = load<f32>(t, 12), tyy = load<f32>(t, 16), tyz = load<f32>(t, 20);
  const tzx = load<f32>(t, 24), tzy = load<f32>(t, 28), tzz = load<f32>(t, 32);
  const stepY = <usize>wide << 2, stepZ = stepY * <usize>side;
  const along = f32x4(txx, tyx, tzx, 0), one = f32x4.splat(1), sixth = f32x4.splat(1.0 / 6.0), half = f32x4.splat(0.5);
  for (let z = 0; z < n; z++) {
    const dz = <f32>(z - c);
    for (let y = 0; y < n; y++) {
      const dy = <f32>(y - c);
      const start = f32x4(centre + txy * dy + txz * dz, centre + tyy * dy + tyz * dz, centre + tzy * dy + tzz * dz, 0);
      const to = out + (<usize>((z * n + y) * row) << 2);
      for (let x = 0; x < n; x++) {
        const p = f32x4.add(start, f32x4.mul(along, f32x4.splat(<f32>(x - c))));
        // Every coordinate is positive: `pad` covers the box's corners, so that truncation is floor.
        const whole = i32x4.trunc_sat_f32x4_s(p);
        const t = f32x4.sub(p, f32x4.convert_i32x4_s(whole)), u = f32x4.sub(one, t);
        // The cubic B-spline at distances 1 + t, t, 1 - t, 2 - t; a lane an axis.
        const t2 = f32x4.mul(t, t), u2 = f32x4.mul(u, u);
        const w0 = f32x4.mul(sixth, f32x4.mul(u2, u)), w3 = f32x4.mul(sixth, f32x4.mul(t2, t));
        const w1 = f32x4.add(f32x4.splat(2.0 / 3.0), f32x4.mul(t2, f32x4.sub(f32x4.mul(half, t), one)));
        const w2 = f32x4.add(f32x4.splat(2.0 / 3.0), f32x4.mul(u2, f32x4.sub(f32x4.mul(half, u), one)));
        const y0 = v128.shuffle<f32>(w0, w0, 1, 1, 1, 1), y1 = v128.shuffle<f32>(w1, w1, 1, 1, 1, 1);
        const y2 = v128.shuffle<f32>(w2, w2, 1, 1, 1, 1), y3 = v128.shuffle<f32>(w3, w3, 1, 1, 1, 1);
        const at = cube + <usize>(i32x4.extract_lane(whole, 2) - 1) * stepZ + <usize>(i32x4.extract_lane(whole, 1) - 1) * stepY +
          (<usize>(i32x4.extract_lane(whole, 0) - 1) << 2);
        let s = f32x4.mul(v128.shuffle<f32>(w0, w0, 2, 2, 2, 2), planeSum(at, stepY, y0, y1, y2, y3));
        s = f32x4.add(s, f32x4.mul(v128.shuffle<f32>(w1, w1, 2, 2, 2, 2), planeSum(at + stepZ, stepY, y0, y1, y2, y3)));
        s = f32x4.add(s, f32x4.mul(v128.shuffle<f32>(w2, w2, 2, 2, 2, 2), planeSum(at + 2 * stepZ, stepY, y0, y1, y2, y3)));
        s = f32x4.add(s, f32x4.mul(v128.shuffle<f32>(w3, w3, 2, 2, 2, 2), planeSum(at + 3 * stepZ, stepY, y0, y1, y2, y3)));
        const wx = v128.shuffle<f32>(v128.shuffle<f32>(w0, w1, 0, 4, 0, 4), v128.shuffle<f32>(w2, w3, 0, 4, 0, 4), 0, 1, 4, 5);
        s = f32x4.mul(s, wx);
        s = f32x4.add(s, v128.shuffle<f32>(s, s, 2, 3, 0, 1));
        store<f32>(to + (<usize>x << 2), f32x4.extract_lane(s, 0) + f32x4.extract_lane(s, 1));
      }
    }
  }
}

/**
 * out = m (v - mean) / deviation, with weights w for the moments and m as mask; both [count]. The moments are float64.
 * Returns 0 and writes zeros when a voxel is not finite or the deviation is not above 1e-6 |mean|, else 1.
 */
export function standardise(box: usize, w: usize, m: usize, out: usize, count: i32): i32 {
  const end = <usize>count << 2;
  let sum: f64 = 0, weight: f64 = 0, all: f64 = 0;
  for (let i: usize = 0; i < end; i += 4) {
    const v = <f64>load<f32>(box + i), k = <f64>load<f32>(w + i);
    all += v;
    sum += k * v;
    weight += k;
  }
  const mean = sum / weight;
  let square: f64 = 0;
  for (let i: usize = 0; i < end; i += 4) {
    const d = <f64>load<f32>(box + i) - mean;
    square += <f64>load<f32>(w + i) * d * d;
  }
  const deviation = Math.sqrt(square / weight);
  // A NaN fails every comparison; all - all is NaN for infinities.
  if (!(all - all == 0) || !(deviation > 1e-6 * Math.abs(mean)) || !(deviation > 0)) {
    memory.fill(out, 0, end);
    return 0;
  }
  const scale = 1 / deviation;
  for (let i: usize = 0; i < end; i += 4) {
    store<f32>(out + i, <f32>((<f64>load<f32>(box + i) - mean) * scale) * load<f32>(m + i));
  }
  return 1;
}
