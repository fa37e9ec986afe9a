// The passes of kernels/fft.ts on float32, two complex numbers a vector. Lines go through in blocks of LINES: buffer [n][LINES] complex.

const LINES: usize = 8;
/** Bytes of one row of a block. */
const ROW: usize = LINES * 8;

let top: usize = (__heap_base + 15) & ~15;
const base: usize = top;

/** Forgets everything that was allocated. */
export function reset(): void {
  top = base;
}

/** Reserves bytes, 16-byte aligned. */
export function alloc(bytes: usize): usize {
  const at = top;
  top = (top + bytes + 15) & ~15;
  const pages = <i32>((top + 0xffff) >>> 16) - memory.size();
  if (pages > 0 && memory.grow(pages) < 0) return 0;
  return at;
}

// @ts-ignore: decorator
@inline
function swap(v: v128): v128 {
  return v128.shuffle<f32>(v, v, 1, 0, 3, 2);
}

// @ts-ignore: decorator
@inline
function times(v: v128, c: v128, d: v128): v128 {
  return f32x4.add(f32x4.mul(v, c), f32x4.mul(swap(v), d));
}

// @ts-ignore: decorator
@inline
function real(w: usize, at: usize): v128 {
  return f32x4.splat(load<f32>(w + at * 8));
}

/** The imaginary part with the signs that `times` wants: (-d, d, -d, d). */
// @ts-ignore: decorator
@inline
function imaginary(w: usize, at: usize): v128 {
  const d = load<f32>(w + at * 8, 4);
  return f32x4.replace_lane(f32x4.replace_lane(f32x4.splat(d), 0, -d), 2, -d);
}

function pass2(x: usize, y: usize, m: usize, s: usize, step: usize, w: usize): void {
  for (let p: usize = 0; p < m; p++) {
    const c = real(w, p * step), d = imaginary(w, p * step);
    let a = x + s * p, b = a + s * m, o = y + s * 2 * p, q = o + s;
    for (const end = a + s; a < end; a += 16, b += 16, o += 16, q += 16) {
      const u = v128.load(a), v = v128.load(b);
      v128.store(o, f32x4.add(u, v));
      v128.store(q, times(f32x4.sub(u, v), c, d));
    }
  }
}

function pass3(x: usize, y: usize, m: usize, s: usize, step: usize, w: usize): void {
  const half = f32x4.splat(0.5), sine = f32x4(0.8660254037844386, -0.8660254037844386, 0.8660254037844386, -0.8660254037844386);
  for (let p: usize = 0; p < m; p++) {
    const c1 = real(w, p * step), d1 = imaginary(w, p * step), c2 = real(w, 2 * p * step), d2 = imaginary(w, 2 * p * step);
    let a = x + s * p, o = y + s * 3 * p;
    const sm = s * m;
    for (const end = a + s; a < end; a += 16, o += 16) {
      const u = v128.load(a), v1 = v128.load(a + sm), v2 = v128.load(a + 2 * sm);
      const sum = f32x4.add(v1, v2);
      const t = f32x4.mul(swap(f32x4.sub(v1, v2)), sine);
      const mid = f32x4.sub(u, f32x4.mul(sum, half));
      v128.store(o, f32x4.add(u, sum));
      v128.store(o + s, times(f32x4.add(mid, t), c1, d1));
      v128.store(o + 2 * s, times(f32x4.sub(mid, t), c2, d2));
    }
  }
}

function pass4(x: usize, y: usize, m: usize, s: usize, step: usize, w: usize): void {
  const sign = f32x4(1, -1, 1, -1);
  for (let p: usize = 0; p < m; p++) {
    const c1 = real(w, p * step), d1 = imaginary(w, p * step), c2 = real(w, 2 * p * step), d2 = imaginary(w, 2 * p * step);
    const c3 = real(w, 3 * p * step), d3 = imaginary(w, 3 * p * step);
    let a = x + s * p, o = y + s * 4 * p;
    const sm = s * m;
    for (const end = a + s; a < end; a += 16, o += 16) {
      const v0 = v128.load(a), v1 = v128.load(a + sm), v2 = v128.load(a + 2 * sm), v3 = v128.load(a + 3 * sm);
      const e = f32x4.add(v0, v2), f = f32x4.sub(v0, v2), g = f32x4.add(v1, v3);
      const h = f32x4.mul(swap(f32x4.sub(v1, v3)), sign);
      v128.store(o, f32x4.add(e, g));
      v128.store(o + s, times(f32x4.add(f, h), c1, d1));
      v128.store(o + 2 * s, times(f32x4.sub(e, g), c2, d2));
      v128.store(o + 3 * s, times(f32x4.sub(f, h), c3, d3));
    }
  }
}

function pass5(x: usize, y: usize, m: usize, s: usize, step: usize, w: usize): void {
  const ca = f32x4.splat(0.30901699437494745), cb = f32x4.splat(-0.8090169943749475);
  const sa = f32x4(0.9510565162951535, -0.9510565162951535, 0.9510565162951535, -0.9510565162951535);
  const sb = f32x4(0.5877852522924731, -0.5877852522924731, 0.5877852522924731, -0.5877852522924731);
  const sm = s * m;
  for (let p: usize = 0; p < m; p++) {
    const c1 = real(w, p * step), d1 = imaginary(w, p * step), c2 = real(w, 2 * p * step), d2 = imaginary(w, 2 * p * step);
    const c3 = real(w, 3 * p * step), d3 = imaginary(w, 3 * p * step), c4 = real(w, 4 * p * step), d4 = imaginary(w, 4 * p * step);
    let a = x + s * p, o = y + s * 5 * p;
    for (const end = a + s; a < end; a += 16, o += 16) {
      const v0 = v128.load(a), v1 = v128.load(a + sm), v2 = v128.load(a + 2 * sm), v3 = v128.load(a + 3 * sm), v4 = v128.load(a + 4 * sm);
      const t1 = f32x4.add(v1, v4), t2 = f32x4.add(v2, v3), t3 = swap(f32x4.sub(v1, v4)), t4 = swap(f32x4.sub(v2, v3));
      const m1 = f32x4.add(v0, f32x4.add(f32x4.mul(t1, ca), f32x4.mul(t2, cb)));
      const m2 = f32x4.add(v0, f32x4.add(f32x4.mul(t1, cb), f32x4.mul(t2, ca)));
      const n1 = f32x4.add(f32x4.mul(t3, sa), f32x4.mul(t4, sb));
      const n2 = f32x4.sub(f32x4.mul(t3, sb), f32x4.mul(t4, sa));
      v128.store(o, f32x4.add(v0, f32x4.add(t1, t2)));
      v128.store(o + s, times(f32x4.add(m1, n1), c1, d1));
      v128.store(o + 2 * s, times(f32x4.add(m2, n2), c2, d2));
      v128.store(o + 3 * s, times(f32x4.sub(m2, n2), c3, d3));
      v128.store(o + 4 * s, times(f32x4.sub(m1, n1), c4, d4));
    }
  }
}

function passAny(x: usize, y: usize, radix: usize, m: usize, s: usize, step: usize, n: usize, w: usize): void {
  const unit = n / radix, sm = s * m;
  for (let p: usize = 0; p < m; p++) {
    for (let j: usize = 0; j < radix; j++) {
      const c = real(w, p * step * j), d = imaginary(w, p * step * j);
      const o = y + s * (radix * p + j);
      for (let q: usize = 0; q < s; q += 16) {
        let a = x + s * p + q;
        let sum = v128.load(a);
        let at: usize = 0;
        for (let k: usize = 1; k < radix; k++) {
          a += sm;
          at += j;
          if (at >= radix) at -= radix;
          sum = f32x4.add(sum, times(v128.load(a), real(w, unit * at), imaginary(w, unit * at)));
        }
        v128.store(o + q, times(sum, c, d));
      }
    }
  }
}

/** Runs a block in `a` through all passes; returns the buffer that holds the result. */
function passes(a: usize, b: usize, n: usize, factors: usize, count: usize, w: usize): usize {
  let x = a, y = b, length = n, s = ROW;
  for (let f: usize = 0; f < count; f++) {
    const radix = <usize> load<u32>(factors + 4 * f);
    const m = length / radix, step = n / length;
    if (radix == 4) pass4(x, y, m, s, step, w);
    else if (radix == 2) pass2(x, y, m, s, step, w);
    else if (radix == 3) pass3(x, y, m, s, step, w);
    else if (radix == 5) pass5(x, y, m, s, step, w);
    else passAny(x, y, radix, m, s, step, n, w);
    const t = x;
    x = y;
    y = t;
    length = m;
    s *= radix;
  }
  return x;
}

/**
 * Transforms every line of n points, `stride` complex numbers apart, of `data` [outer, n, stride] in place. `a` and `b` are blocks of
 * n * LINES complex numbers; `w` n complex roots; `factors` u32.
 */
export function axis(
  data: usize, outer: usize, n: usize, stride: usize, inverse: bool, scale: f32,
  factors: usize, count: usize, w: usize, a: usize, b: usize,
): void {
  const factor = f32x4.splat(scale);
  if (stride < LINES) {
    // Lines of a block may belong to unlike outer indices: one complex number at a time.
    const lines = outer * stride;
    for (let line: usize = 0; line < lines; line += LINES) {
      const many = min(LINES, lines - line);
      for (let j: usize = 0; j < many; j++) {
        const block = (line + j) / stride;
        let from = data + (block * stride * n + (line + j - block * stride)) * 8, to = a + j * 8;
        for (let i: usize = 0; i < n; i++, from += stride * 8, to += ROW) store<f64>(to, load<f64>(from));
      }
      const result = passes(a, b, n, factors, count, w);
      for (let j: usize = 0; j < many; j++) {
        const block = (line + j) / stride;
        let to = data + (block * stride * n + (line + j - block * stride)) * 8;
        for (let k: usize = 0; k < n; k++, to += stride * 8) {
          const from = result + (inverse && k > 0 ? n - k : k) * ROW + j * 8;
          store<f32>(to, load<f32>(from) * scale);
          store<f32>(to, load<f32>(from, 4) * scale, 4);
        }
      }
    }
    return;
  }
  const step = stride * 8;
  for (let block: usize = 0; block < outer; block++) {
    const origin = data + block * n * step;
    for (let first: usize = 0; first < stride; first += LINES) {
      const column = origin + first * 8;
      if (stride - first < LINES) {
        const bytes = (stride - first) * 8;
        for (let i: usize = 0; i < n; i++) memory.copy(a + i * ROW, column + i * step, bytes);
        const result = passes(a, b, n, factors, count, w);
        for (let k: usize = 0; k < n; k++) {
          const from = result + (inverse && k > 0 ? n - k : k) * ROW, to = column + k * step;
          for (let q: usize = 0; q < bytes; q += 4) store<f32>(to + q, load<f32>(from + q) * scale);
        }
        continue;
      }
      for (let i: usize = 0; i < n; i++) {
        const from = column + i * step, to = a + i * ROW;
        v128.store(to, v128.load(from));
        v128.store(to, v128.load(from, 16), 16);
        v128.store(to, v128.load(from, 32), 32);
        v128.store(to, v128.load(from, 48), 48);
      }
      const result = passes(a, b, n, factors, count, w);
      for (let k: usize = 0; k < n; k++) {
        const from = result + (inverse && k > 0 ? n - k : k) * ROW, to = column + k * step;
        v128.store(to, f32x4.mul(v128.load(from), factor));
        v128.store(to, f32x4.mul(v128.load(from, 16), factor), 16);
        v128.store(to, f32x4.mul(v128.load(from, 32), factor), 32);
        v128.store(to, f32x4.mul(v128.load(from, 48), factor), 48);
      }
    }
  }
}

/** Real rows `[rows, n]` to half spectra `[rows, n / 2 + 1]`: two rows ride as one complex line. */
export function realRows(
  input: usize, output: usize, rows: usize, n: usize, factors: usize, count: usize, w: usize, a: usize, b: usize,
): void {
  const half = (n >> 1) + 1;
  for (let row: usize = 0; row < rows; row += 2 * LINES) {
    const lines = min(LINES, (rows - row + 1) >> 1);
    for (let j: usize = 0; j < lines; j++) {
      const first = input + (row + 2 * j) * n * 4, paired = row + 2 * j + 1 < rows;
      const second = first + n * 4;
      let to = a + j * 8;
      for (let i: usize = 0; i < n; i++, to += ROW) {
        store<f32>(to, load<f32>(first + i * 4));
        store<f32>(to, paired ? load<f32>(second + i * 4) : 0, 4);
      }
    }
    const result = passes(a, b, n, factors, count, w);
    for (let j: usize = 0; j < lines; j++) {
      const first = output + (row + 2 * j) * half * 8, second = first + half * 8, paired = row + 2 * j + 1 < rows;
      for (let k: usize = 0; k < half; k++) {
        const at = result + k * ROW + j * 8, mirror = result + (k == 0 ? 0 : n - k) * ROW + j * 8;
        const re = load<f32>(at), im = load<f32>(at, 4), reMirror = load<f32>(mirror), imMirror = load<f32>(mirror, 4);
        store<f32>(first + k * 8, <f32> 0.5 * (re + reMirror));
        store<f32>(first + k * 8, <f32> 0.5 * (im - imMirror), 4);
        if (paired) {
          store<f32>(second + k * 8, <f32> 0.5 * (im + imMirror));
          store<f32>(second + k * 8, <f32> 0.5 * (reMirror - re), 4);
        }
      }
    }
  }
}

/** Half spectra `[rows, n / 2 + 1]` to real rows `[rows, n]`, divided by n. */
export function realRowsBack(
  input: usize, output: usize, rows: usize, n: usize, factors: usize, count: usize, w: usize, a: usize, b: usize,
): void {
  const half = (n >> 1) + 1;
  const scale: f32 = <f32> (1.0 / <f64> n);
  for (let row: usize = 0; row < rows; row += 2 * LINES) {
    const lines = min(LINES, (rows - row + 1) >> 1);
    for (let j: usize = 0; j < lines; j++) {
      const first = input + (row + 2 * j) * half * 8, second = first + half * 8, paired = row + 2 * j + 1 < rows;
      for (let k: usize = 0; k < half; k++) {
        const edge = k == 0 || 2 * k == n;
        const re1 = load<f32>(first + k * 8), im1: f32 = edge ? 0 : load<f32>(first + k * 8, 4);
        const re2: f32 = paired ? load<f32>(second + k * 8) : 0, im2: f32 = paired && !edge ? load<f32>(second + k * 8, 4) : 0;
        const at = a + k * ROW + j * 8;
        store<f32>(at, re1 - im2);
        store<f32>(at, im1 + re2, 4);
        if (!edge) {
          const mirror = a + (n - k) * ROW + j * 8;
          store<f32>(mirror, re1 + im2);
          store<f32>(mirror, re2 - im1, 4);
        }
      }
    }
    const result = passes(a, b, n, factors, count, w);
    for (let j: usize = 0; j < lines; j++) {
      const first = output + (row + 2 * j) * n * 4, second = first + n * 4, paired = row + 2 * j + 1 < rows;
      for (let i: usize = 0; i < n; i++) {
        const from = result + (i == 0 ? 0 : n - i) * ROW + j * 8;
        store<f32>(first + i * 4, load<f32>(from) * scale);
        if (paired) store<f32>(second + i * 4, load<f32>(from, 4) * scale);
      }
    }
  }
}
