// The inner loops of alignment in Fourier space: central slices of a volume, scores of boxes against many slices, soft assignment, and the
// search for one box's best pose. Complex numbers are interleaved float32. Tables and layouts come from plugins/kernels/alignment/*.ts.

/** Reserves 16-byte aligned memory; give the result to `release`. */
export function alloc(bytes: i32): usize {
  const raw = heap.alloc(<usize>bytes + 32);
  const at = (raw + 31) & ~(<usize>15);
  store<usize>(at - 4, raw);
  return at;
}

/** Gives memory back. */
export function release(at: usize): void {
  heap.free(load<usize>(at - 4));
}

/** Trilinear sample of the complex grid [side, side, side] at (x, y, z) in grid units from the origin voxel; the point must lie inside. */
// @ts-ignore: decorator
@inline
function tap(grid: usize, side: i32, x: f32, y: f32, z: f32): v128 {
  const ix = <i32>x, iy = <i32>y, iz = <i32>z;
  const fx = x - <f32>ix, fy = y - <f32>iy, fz = z - <f32>iz;
  const row: usize = <usize>side << 3;
  const plane: usize = row * <usize>side;
  const at = grid + <usize>((iz * side + iy) * side + ix << 3);
  // Both neighbours along x lie side by side: re0 im0 re1 im1.
  const v00 = v128.load(at), v01 = v128.load(at + row), v10 = v128.load(at + plane), v11 = v128.load(at + plane + row);
  const gy: f32 = <f32>1 - fy, gz: f32 = <f32>1 - fz;
  const a = f32x4.add(f32x4.mul(v00, f32x4.splat(gy * gz)), f32x4.mul(v01, f32x4.splat(fy * gz)));
  const b = f32x4.add(f32x4.mul(v10, f32x4.splat(gy * fz)), f32x4.mul(v11, f32x4.splat(fy * fz)));
  const c = f32x4.add(a, b);
  const gx: f32 = <f32>1 - fx;
  const w = f32x4.mul(c, f32x4.replace_lane(f32x4.replace_lane(f32x4.splat(fx), 0, gx), 1, gx));
  return f32x4.add(w, i32x4.shuffle(w, w, 2, 3, 2, 3));
}

/**
 * Slices of one volume for `count` rotations (a multiple of 8), into panels [count / 8, 2 c, 8] for `scores`.
 * Coefficient c of rotation A is the volume at 2 A^T k, times scale[c]. `ks` [c, 3] float32 x, y, z; `rotations` [count, 9].
 */
export function slices(
  grid: usize, side: i32, rotations: usize, count: i32, ks: usize, coefficients: i32, scale: usize, panels: usize,
): void {
  const middle = <f32>(side / 2);
  for (let r = 0; r < count; r++) {
    const m = rotations + <usize>(r * 36);
    const m0 = load<f32>(m) * 2, m1 = load<f32>(m, 4) * 2, m2 = load<f32>(m, 8) * 2;
    const m3 = load<f32>(m, 12) * 2, m4 = load<f32>(m, 16) * 2, m5 = load<f32>(m, 20) * 2;
    const m6 = load<f32>(m, 24) * 2, m7 = load<f32>(m, 28) * 2, m8 = load<f32>(m, 32) * 2;
    let out = panels + <usize>(((r >> 3) * 2 * coefficients * 8 + (r & 7)) << 2);
    for (let c = 0; c < coefficients; c++) {
      const k = ks + <usize>(c * 12);
      const kx = load<f32>(k), ky = load<f32>(k, 4), kz = load<f32>(k, 8);
      const v = tap(grid, side, m0 * kx + m3 * ky + m6 * kz + middle, m1 * kx + m4 * ky + m7 * kz + middle, m2 * kx + m5 * ky + m8 * kz + middle);
      const s = load<f32>(scale + (<usize>c << 2));
      store<f32>(out, f32x4.extract_lane(v, 0) * s);
      store<f32>(out, f32x4.extract_lane(v, 1) * s, 32);
      out += 64;
    }
  }
}

/** Per column sum over coefficients of weights[c] |slice|^2: `norms` [count]. */
export function norms(panels: usize, count: i32, coefficients: i32, weights: usize, out: usize): void {
  for (let p = 0; p < count; p += 8) {
    let low = f32x4.splat(0), high = low;
    let at = panels + <usize>(p * 2 * coefficients << 2);
    for (let c = 0; c < coefficients; c++) {
      const w = v128.load32_splat(weights + (<usize>c << 2));
      const a = v128.load(at), b = v128.load(at, 16), d = v128.load(at, 32), e = v128.load(at, 48);
      low = f32x4.add(low, f32x4.mul(w, f32x4.add(f32x4.mul(a, a), f32x4.mul(d, d))));
      high = f32x4.add(high, f32x4.mul(w, f32x4.add(f32x4.mul(b, b), f32x4.mul(e, e))));
      at += 64;
    }
    v128.store(out + (<usize>p << 2), low);
    v128.store(out + (<usize>p << 2), high, 16);
  }
}

/**
 * out[m, n] = rows[m, k] . panels^T, with m a multiple of 4 and n (the columns of the panels) a multiple of 8. Products are fused with sums
 * where the processor can, so the last bits depend on it.
 */
export function scores(rows: usize, panels: usize, out: usize, m: i32, k: i32, n: i32): void {
  const ks: usize = <usize>k << 2, ns: usize = <usize>n << 2;
  for (let j = 0; j < n; j += 8) {
    const panel = panels + <usize>j * ks;
    for (let i = 0; i < m; i += 4) {
      let c00 = f32x4.splat(0), c01 = c00, c10 = c00, c11 = c00, c20 = c00, c21 = c00, c30 = c00, c31 = c00;
      let a = rows + <usize>i * ks;
      let b = panel;
      const end = a + ks;
      while (a < end) {
        const b0 = v128.load(b), b1 = v128.load(b, 16);
        const x0 = v128.load32_splat(a), x1 = v128.load32_splat(a + ks);
        c00 = f32x4.relaxed_madd(x0, b0, c00);
        c01 = f32x4.relaxed_madd(x0, b1, c01);
        c10 = f32x4.relaxed_madd(x1, b0, c10);
        c11 = f32x4.relaxed_madd(x1, b1, c11);
        const x2 = v128.load32_splat(a + 2 * ks), x3 = v128.load32_splat(a + 3 * ks);
        c20 = f32x4.relaxed_madd(x2, b0, c20);
        c21 = f32x4.relaxed_madd(x2, b1, c21);
        c30 = f32x4.relaxed_madd(x3, b0, c30);
        c31 = f32x4.relaxed_madd(x3, b1, c31);
        a += 4;
        b += 32;
      }
      const o = out + <usize>i * ns + (<usize>j << 2);
      v128.store(o, c00);
      v128.store(o, c01, 16);
      v128.store(o + ns, c10);
      v128.store(o + ns, c11, 16);
      v128.store(o + 2 * ns, c20);
      v128.store(o + 2 * ns, c21, 16);
      v128.store(o + 3 * ns, c30);
      v128.store(o + 3 * ns, c31, 16);
    }
  }
}

/** Copies of one box's row [c] under `shifts` [count, 3]: times exp(+2 pi i k.t / box), so that a particle at t comes to the centre. */
export function shiftRows(row: usize, out: usize, ks: usize, coefficients: i32, shifts: usize, count: i32, box: f32): void {
  const unit: f32 = 6.283185307179586 / box;
  for (let t = 0; t < count; t++) {
    const s = shifts + <usize>(t * 12);
    const sx = load<f32>(s) * unit, sy = load<f32>(s, 4) * unit, sz = load<f32>(s, 8) * unit;
    const target = out + <usize>(t * coefficients << 3);
    if (sx == 0 && sy == 0 && sz == 0) {
      memory.copy(target, row, <usize>coefficients << 3);
      continue;
    }
    for (let c = 0; c < coefficients; c++) {
      const k = ks + <usize>(c * 12);
      const angle = load<f32>(k) * sx + load<f32>(k, 4) * sy + load<f32>(k, 8) * sz;
      const cos = <f32>NativeMathf.cos(angle), sin = <f32>NativeMathf.sin(angle);
      const re = load<f32>(row + (<usize>c << 3)), im = load<f32>(row + (<usize>c << 3), 4);
      store<f32>(target + (<usize>c << 3), re * cos - im * sin);
      store<f32>(target + (<usize>c << 3), re * sin + im * cos, 4);
    }
  }
}

/**
 * Turns scores [shifts, n] of one box into beta (2 score - norms[column]) and finds the largest value of each class and where it is.
 * `norms` [n]; class j holds columns j * per .. (j + 1) * per. Writes `best` [classes] float32 and `where` [classes] int32 (shift * n + column).
 */
export function likelihoods(values: usize, shifts: i32, classes: i32, per: i32, norms: usize, beta: f32, best: usize, where: usize): void {
  const n = classes * per;
  const two = f32x4.splat(2 * beta), one = f32x4.splat(beta);
  for (let j = 0; j < classes; j++) {
    let top: f32 = -f32.MAX_VALUE;
    let place: i32 = 0;
    for (let t = 0; t < shifts; t++) {
      const from = t * n + j * per;
      let most = f32x4.splat(-f32.MAX_VALUE);
      for (let i = 0; i < per; i += 4) {
        const at = values + (<usize>(from + i) << 2);
        const v = f32x4.sub(f32x4.mul(v128.load(at), two), f32x4.mul(v128.load(norms + (<usize>(j * per + i) << 2)), one));
        v128.store(at, v);
        most = f32x4.pmax(most, v);
      }
      let largest = max(max(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1)), max(f32x4.extract_lane(most, 2), f32x4.extract_lane(most, 3)));
      if (largest > top) {
        top = largest;
        for (let i = 0; i < per; i++) {
          if (load<f32>(values + (<usize>(from + i) << 2)) == largest) {
            place = from + i;
            break;
          }
        }
      }
    }
    store<f32>(best + (<usize>j << 2), top);
    store<i32>(where + (<usize>j << 2), place);
  }
}

/**
 * Sums exp(value + prior[class] - top) of each class into `sums` [classes] float64 and lists every entry above exp(-cut):
 * `entries` int32 and `weights` float32, both with room for shifts x n. Returns how many were listed.
 */
export function softAssign(
  values: usize, shifts: i32, classes: i32, per: i32, prior: usize, top: f32, cut: f32, sums: usize, entries: usize, weights: usize,
): i32 {
  const n = classes * per;
  let count: i32 = 0;
  for (let j = 0; j < classes; j++) {
    const offset = load<f32>(prior + (<usize>j << 2)) - top;
    const floor = f32x4.splat(-cut - offset);
    let sum: f64 = 0;
    for (let t = 0; t < shifts; t++) {
      const from = t * n + j * per;
      for (let i = 0; i < per; i += 4) {
        const at = values + (<usize>(from + i) << 2);
        if (!v128.any_true(f32x4.gt(v128.load(at), floor))) continue;
        for (let lane = 0; lane < 4; lane++) {
          const value = load<f32>(at + (<usize>lane << 2)) + offset;
          if (value <= -cut) continue;
          const p = <f32>NativeMathf.exp(value);
          sum += <f64>p;
          store<i32>(entries + (<usize>count << 2), from + i + lane);
          store<f32>(weights + (<usize>count << 2), p);
          count++;
        }
      }
    }
    store<f64>(sums + (<usize>j << 3), sum);
  }
  return count;
}

/**
 * Adds weight x row to the sums of each listed column: `sums` [n, 2 c], `mass` [n], `shiftMass` [shifts] float64; entries below
 * `least` x total are left out. Weights are multiplied by `scale`.
 */
export function accumulate(
  rows: usize, sums: usize, mass: usize, shiftMass: usize, n: i32, coefficients: i32,
  entries: usize, weights: usize, count: i32, scale: f32, least: f32,
): void {
  const bytes: usize = <usize>coefficients << 3;
  for (let e = 0; e < count; e++) {
    const p = load<f32>(weights + (<usize>e << 2)) * scale;
    if (p < least) continue;
    const entry = load<i32>(entries + (<usize>e << 2));
    const t = entry / n, column = entry - t * n;
    store<f32>(mass + (<usize>column << 2), load<f32>(mass + (<usize>column << 2)) + p);
    store<f64>(shiftMass + (<usize>t << 3), load<f64>(shiftMass + (<usize>t << 3)) + <f64>p);
    addScaled(sums + <usize>column * bytes, rows + <usize>t * bytes, bytes, p);
  }
}

// @ts-ignore: decorator
@inline
function addScaled(target: usize, source: usize, bytes: usize, p: f32): void {
  const w = f32x4.splat(p);
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) v128.store(target + i, f32x4.relaxed_madd(v128.load(source + i), w, v128.load(target + i)));
  for (; i < bytes; i += 4) store<f32>(target + i, load<f32>(target + i) + load<f32>(source + i) * p);
}

/**
 * Adjoint of `slices`: spreads rows [count, 2 c] x scale[c] into the complex `grid`, and density[r, c] (or mass[r] x spread[c]) into `weight`.
 * Rows whose mass is 0 are skipped. `mass` [groups, count]; `spread` [groups, c].
 */
export function insert(
  grid: usize, weight: usize, side: i32, rotations: usize, count: i32, ks: usize, coefficients: i32,
  scale: usize, rows: usize, mass: usize, spread: usize, groups: i32,
): void {
  const middle = <f32>(side / 2);
  const row: i32 = side, plane: i32 = side * side;
  for (let r = 0; r < count; r++) {
    let total: f32 = 0;
    for (let g = 0; g < groups; g++) total += load<f32>(mass + (<usize>(g * count + r) << 2));
    if (total == 0) continue;
    const m = rotations + <usize>(r * 36);
    const m0 = load<f32>(m) * 2, m1 = load<f32>(m, 4) * 2, m2 = load<f32>(m, 8) * 2;
    const m3 = load<f32>(m, 12) * 2, m4 = load<f32>(m, 16) * 2, m5 = load<f32>(m, 20) * 2;
    const m6 = load<f32>(m, 24) * 2, m7 = load<f32>(m, 28) * 2, m8 = load<f32>(m, 32) * 2;
    for (let c = 0; c < coefficients; c++) {
      const k = ks + <usize>(c * 12);
      const kx = load<f32>(k), ky = load<f32>(k, 4), kz = load<f32>(k, 8);
      const x = m0 * kx + m3 * ky + m6 * kz + middle, y = m1 * kx + m4 * ky + m7 * kz + middle, z = m2 * kx + m5 * ky + m8 * kz + middle;
      const ix = <i32>x, iy = <i32>y, iz = <i32>z;
      const fx = x - <f32>ix, fy = y - <f32>iy, fz = z - <f32>iz;
      const s = load<f32>(scale + (<usize>c << 2));
      const at = rows + (<usize>(r * coefficients + c) << 3);
      const re = load<f32>(at) * s, im = load<f32>(at, 4) * s;
      let w: f32 = 0;
      for (let g = 0; g < groups; g++) w += load<f32>(mass + (<usize>(g * count + r) << 2)) * load<f32>(spread + (<usize>(g * coefficients + c) << 2));
      const origin = (iz * side + iy) * side + ix;
      for (let corner = 0; corner < 8; corner++) {
        const ux = corner & 1, uy = (corner >> 1) & 1, uz = corner >> 2;
        const part = (ux ? fx : 1 - fx) * (uy ? fy : 1 - fy) * (uz ? fz : 1 - fz);
        const cell: usize = <usize>(origin + ux + uy * row + uz * plane);
        const g = grid + (cell << 3);
        store<f32>(g, load<f32>(g) + part * re);
        store<f32>(g, load<f32>(g, 4) + part * im, 4);
        store<f32>(weight + (cell << 2), load<f32>(weight + (cell << 2)) + part * w);
      }
    }
  }
}

/**
 * One slice against one box: writes conj(box) x slice x weight into `cross` [c] and returns sum of weights2[c] |slice|^2.
 * `amplitude` [c] multiplies the slice (wedge weight over noise deviation).
 */
function crossSlice(
  grid: usize, side: i32, rotation: usize, ks: usize, coefficients: i32, amplitude: usize, row: usize, cross: usize,
): f64 {
  const middle = <f32>(side / 2);
  const m0 = load<f32>(rotation) * 2, m1 = load<f32>(rotation, 4) * 2, m2 = load<f32>(rotation, 8) * 2;
  const m3 = load<f32>(rotation, 12) * 2, m4 = load<f32>(rotation, 16) * 2, m5 = load<f32>(rotation, 20) * 2;
  const m6 = load<f32>(rotation, 24) * 2, m7 = load<f32>(rotation, 28) * 2, m8 = load<f32>(rotation, 32) * 2;
  let power: f64 = 0;
  for (let c = 0; c < coefficients; c++) {
    const s = load<f32>(amplitude + (<usize>c << 2));
    const o = cross + (<usize>c << 3);
    if (s == 0) {
      store<u64>(o, 0);
      continue;
    }
    const k = ks + <usize>(c * 12);
    const kx = load<f32>(k), ky = load<f32>(k, 4), kz = load<f32>(k, 8);
    const v = tap(grid, side, m0 * kx + m3 * ky + m6 * kz + middle, m1 * kx + m4 * ky + m7 * kz + middle, m2 * kx + m5 * ky + m8 * kz + middle);
    const ar = f32x4.extract_lane(v, 0) * s, ai = f32x4.extract_lane(v, 1) * s;
    power += <f64>(ar * ar + ai * ai);
    const br = load<f32>(row + (<usize>c << 3)), bi = load<f32>(row + (<usize>c << 3), 4);
    store<f32>(o, br * ar + bi * ai);
    store<f32>(o, br * ai - bi * ar, 4);
  }
  return power;
}

/**
 * Score at a shift: sum Re(cross exp(-i k.t)), with the gradient (out 0..2) and the Hessian (out 3..8: xx yy zz xy xz yz) in t, float64.
 * The mirrored sign of `shiftRows`: the box is brought to the centre.
 */
function shiftScore(cross: usize, ks: usize, coefficients: i32, tx: f32, ty: f32, tz: f32, unit: f32, out: usize): f64 {
  let sum: f64 = 0, gx: f64 = 0, gy: f64 = 0, gz: f64 = 0;
  let hxx: f64 = 0, hyy: f64 = 0, hzz: f64 = 0, hxy: f64 = 0, hxz: f64 = 0, hyz: f64 = 0;
  const ux = tx * unit, uy = ty * unit, uz = tz * unit;
  for (let c = 0; c < coefficients; c++) {
    const o = cross + (<usize>c << 3);
    const re = load<f32>(o), im = load<f32>(o, 4);
    if (re == 0 && im == 0) continue;
    const k = ks + <usize>(c * 12);
    const kx = load<f32>(k), ky = load<f32>(k, 4), kz = load<f32>(k, 8);
    const angle = kx * ux + ky * uy + kz * uz;
    const cos = cosine(angle), sin = cosine(angle - 1.5707963267948966);
    const value = <f64>(re * cos + im * sin), slope = <f64>(im * cos - re * sin);
    sum += value;
    gx += slope * <f64>kx;
    gy += slope * <f64>ky;
    gz += slope * <f64>kz;
    hxx -= value * <f64>(kx * kx);
    hyy -= value * <f64>(ky * ky);
    hzz -= value * <f64>(kz * kz);
    hxy -= value * <f64>(kx * ky);
    hxz -= value * <f64>(kx * kz);
    hyz -= value * <f64>(ky * kz);
  }
  const u = <f64>unit, uu = u * u;
  store<f64>(out, gx * u);
  store<f64>(out, gy * u, 8);
  store<f64>(out, gz * u, 16);
  store<f64>(out, hxx * uu, 24);
  store<f64>(out, hyy * uu, 32);
  store<f64>(out, hzz * uu, 40);
  store<f64>(out, hxy * uu, 48);
  store<f64>(out, hxz * uu, 56);
  store<f64>(out, hyz * uu, 64);
  return sum;
}

/** Cosine to 1e-6 by range reduction and an even polynomial: cheaper than the library's by far. */
// @ts-ignore: decorator
@inline
function cosine(angle: f32): f32 {
  const turns = angle * 0.15915494309189535;
  const f = turns - nearest<f32>(turns);
  // cos(2 pi f), |f| <= 1/2, through sin of a quarter turn less.
  const q = abs<f32>(f) - 0.25;
  const x = q * 6.283185307179586, x2 = x * x;
  return -x * (1 - x2 * (0.16666667 - x2 * (0.0083333333 - x2 * (0.00019841270 - x2 * 0.0000027557319))));
}

let scratch: usize = 0;
let candidate: usize = 0;

/** One Newton step in the shift, at most `reach` voxels long; the new shift goes to `t`. Returns the score at the old shift. */
function newton(cross: usize, ks: usize, coefficients: i32, t: usize, unit: f32, reach: f32): f64 {
  const tx = load<f32>(t), ty = load<f32>(t, 4), tz = load<f32>(t, 8);
  const score = shiftScore(cross, ks, coefficients, tx, ty, tz, unit, scratch);
  const a = load<f64>(scratch, 24), b = load<f64>(scratch, 32), c = load<f64>(scratch, 40);
  const d = load<f64>(scratch, 48), e = load<f64>(scratch, 56), f = load<f64>(scratch, 64);
  const gx = load<f64>(scratch), gy = load<f64>(scratch, 8), gz = load<f64>(scratch, 16);
  const ab = a * b - d * d;
  const det = a * (b * c - f * f) - d * (d * c - f * e) + e * (d * f - b * e);
  let sx: f64, sy: f64, sz: f64;
  if (a < 0 && ab > 0 && det < 0) {
    sx = -((b * c - f * f) * gx + (e * f - d * c) * gy + (d * f - e * b) * gz) / det;
    sy = -((e * f - d * c) * gx + (a * c - e * e) * gy + (d * e - a * f) * gz) / det;
    sz = -((d * f - e * b) * gx + (d * e - a * f) * gy + ab * gz) / det;
  } else {
    const g = Math.sqrt(gx * gx + gy * gy + gz * gz) + 1e-30;
    sx = gx / g * <f64>reach;
    sy = gy / g * <f64>reach;
    sz = gz / g * <f64>reach;
  }
  const length = Math.sqrt(sx * sx + sy * sy + sz * sz);
  const clip = length > <f64>reach ? <f64>reach / length : 1;
  store<f32>(t, tx + <f32>(sx * clip));
  store<f32>(t, ty + <f32>(sy * clip), 4);
  store<f32>(t, tz + <f32>(sz * clip), 8);
  return score;
}

/** Writes R = turn(axis, angle) x rotation: a turn about the box's own x, y or z axis. */
function turned(rotation: usize, ax: f32, ay: f32, az: f32, out: usize): void {
  const angle = <f32>Math.sqrt(<f64>(ax * ax + ay * ay + az * az));
  if (angle < 1e-9) {
    memory.copy(out, rotation, 36);
    return;
  }
  const x = ax / angle, y = ay / angle, z = az / angle;
  const c = <f32>NativeMathf.cos(angle), s = <f32>NativeMathf.sin(angle), d: f32 = <f32>1 - c;
  const r0 = c + x * x * d, r1 = x * y * d - z * s, r2 = x * z * d + y * s;
  const r3 = y * x * d + z * s, r4 = c + y * y * d, r5 = y * z * d - x * s;
  const r6 = z * x * d - y * s, r7 = z * y * d + x * s, r8 = c + z * z * d;
  for (let j: usize = 0; j < 12; j += 4) {
    const a = load<f32>(rotation + j), b = load<f32>(rotation + j, 12), e = load<f32>(rotation + j, 24);
    store<f32>(out + j, r0 * a + r1 * b + r2 * e);
    store<f32>(out + j, r3 * a + r4 * b + r5 * e, 12);
    store<f32>(out + j, r6 * a + r7 * b + r8 * e, 24);
  }
}

/** Log-likelihood 2 score - power of a turned rotation at a fixed shift. */
function probe(
  grid: usize, side: i32, rotation: usize, ax: f32, ay: f32, az: f32, t: usize, ks: usize, coefficients: i32, amplitude: usize, row: usize,
  cross: usize, unit: f32,
): f64 {
  turned(rotation, ax, ay, az, candidate);
  const power = crossSlice(grid, side, candidate, ks, coefficients, amplitude, row, cross);
  return 2 * shiftScore(cross, ks, coefficients, load<f32>(t), load<f32>(t, 4), load<f32>(t, 8), unit, scratch) - power;
}

/**
 * Climbs to the best pose near `pose` (12 float32: rotation, shift), in `turns` rounds: each probes a turn of +-angle about three axes,
 * goes to the top of the parabola through them if that is better, else to the best probe, then takes a Newton step in the shift. The angle
 * halves after each round. Returns the log-likelihood there; `cross` has room for [c].
 */
export function climb(
  grid: usize, side: i32, pose: usize, ks: usize, coefficients: i32, amplitude: usize, row: usize, cross: usize,
  box: f32, angle: f32, rounds: i32, reach: f32,
): f64 {
  if (scratch == 0) {
    scratch = alloc(80);
    candidate = alloc(48);
  }
  const unit: f32 = 6.283185307179586 / box;
  const t = pose + 36;
  let power = crossSlice(grid, side, pose, ks, coefficients, amplitude, row, cross);
  newton(cross, ks, coefficients, t, unit, reach);
  let best = 2 * shiftScore(cross, ks, coefficients, load<f32>(t), load<f32>(t, 4), load<f32>(t, 8), unit, scratch) - power;
  let step = angle;
  for (let round = 0; round < rounds; round++) {
    let topX: f32 = 0, topY: f32 = 0, topZ: f32 = 0;
    let bx: f32 = 0, by: f32 = 0, bz: f32 = 0, most = best;
    for (let axis = 0; axis < 3; axis++) {
      const x: f32 = axis == 0 ? step : 0, y: f32 = axis == 1 ? step : 0, z: f32 = axis == 2 ? step : 0;
      const plus = probe(grid, side, pose, x, y, z, t, ks, coefficients, amplitude, row, cross, unit);
      const minus = probe(grid, side, pose, -x, -y, -z, t, ks, coefficients, amplitude, row, cross, unit);
      if (plus > most) { most = plus; bx = x; by = y; bz = z; }
      if (minus > most) { most = minus; bx = -x; by = -y; bz = -z; }
      const bend = plus + minus - 2 * best;
      let top: f32 = plus > minus ? step : -step;
      if (bend < 0) top = max<f32>(<f32>-2 * step, min<f32>(<f32>2 * step, <f32>(0.5 * (minus - plus) / bend) * step));
      if (axis == 0) topX = top;
      if (axis == 1) topY = top;
      if (axis == 2) topZ = top;
    }
    const vertex = probe(grid, side, pose, topX, topY, topZ, t, ks, coefficients, amplitude, row, cross, unit);
    if (vertex > most) { most = vertex; bx = topX; by = topY; bz = topZ; }
    if (most > best) {
      turned(pose, bx, by, bz, candidate);
      memory.copy(pose, candidate, 36);
    }
    power = crossSlice(grid, side, pose, ks, coefficients, amplitude, row, cross);
    const sx = load<f32>(t), sy = load<f32>(t, 4), sz = load<f32>(t, 8);
    const before = 2 * newton(cross, ks, coefficients, t, unit, reach) - power;
    best = 2 * shiftScore(cross, ks, coefficients, load<f32>(t), load<f32>(t, 4), load<f32>(t, 8), unit, scratch) - power;
    if (best < before) {
      best = before;
      store<f32>(t, sx);
      store<f32>(t, sy, 4);
      store<f32>(t, sz, 8);
    }
    step *= 0.5;
  }
  return best;
}

/** Entropy of the distribution exp(beta x values) over `count` (a multiple of 4) candidates, nats; `top` is the largest value. */
export function entropyAt(values: usize, count: i32, top: f32, beta: f32, cut: f32): f64 {
  const floor = f32x4.splat(top - cut / beta);
  let total: f64 = 0, mean: f64 = 0;
  for (let i = 0; i < count; i += 4) {
    const at = values + (<usize>i << 2);
    if (!v128.any_true(f32x4.gt(v128.load(at), floor))) continue;
    for (let lane: usize = 0; lane < 16; lane += 4) {
      const value = beta * (load<f32>(at + lane) - top);
      if (value <= -cut) continue;
      const p = <f64>NativeMathf.exp(value);
      total += p;
      mean += p * <f64>value;
    }
  }
  return Math.log(total) - mean / total;
}

/** Adds |A|^2 - 2 Re(conj(box) A) of each coefficient at a pose (12 float32) to `out` [c] float64, all over the noise variance. */
export function residual(
  grid: usize, side: i32, pose: usize, ks: usize, coefficients: i32, amplitude: usize, row: usize, cross: usize, box: f32, out: usize,
): void {
  const middle = <f32>(side / 2), unit: f32 = 6.283185307179586 / box;
  crossSlice(grid, side, pose, ks, coefficients, amplitude, row, cross);
  const tx = load<f32>(pose, 36) * unit, ty = load<f32>(pose, 40) * unit, tz = load<f32>(pose, 44) * unit;
  const m0 = load<f32>(pose) * 2, m1 = load<f32>(pose, 4) * 2, m2 = load<f32>(pose, 8) * 2;
  const m3 = load<f32>(pose, 12) * 2, m4 = load<f32>(pose, 16) * 2, m5 = load<f32>(pose, 20) * 2;
  const m6 = load<f32>(pose, 24) * 2, m7 = load<f32>(pose, 28) * 2, m8 = load<f32>(pose, 32) * 2;
  for (let c = 0; c < coefficients; c++) {
    const s = load<f32>(amplitude + (<usize>c << 2));
    if (s == 0) continue;
    const k = ks + <usize>(c * 12);
    const kx = load<f32>(k), ky = load<f32>(k, 4), kz = load<f32>(k, 8);
    const v = tap(grid, side, m0 * kx + m3 * ky + m6 * kz + middle, m1 * kx + m4 * ky + m7 * kz + middle, m2 * kx + m5 * ky + m8 * kz + middle);
    const ar = f32x4.extract_lane(v, 0) * s, ai = f32x4.extract_lane(v, 1) * s;
    const angle = kx * tx + ky * ty + kz * tz;
    const o = cross + (<usize>c << 3);
    const value = load<f32>(o) * cosine(angle) + load<f32>(o, 4) * cosine(angle - 1.5707963267948966);
    store<f64>(out + (<usize>c << 3), load<f64>(out + (<usize>c << 3)) + <f64>(ar * ar + ai * ai - 2 * value));
  }
}
