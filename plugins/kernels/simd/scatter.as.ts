/**
 * Sums of products between columns: out += X^T X for one block of rows, float64, in tiles of four by four columns.
 *
 * Columns lie in panels of four ([panel][row][4]), so that a tile reads two streams.
 */

/** Lends `bytes` bytes, 16-byte aligned. */
export function alloc(bytes: usize): usize {
  return heap.alloc(bytes);
}

/** Takes back what `alloc` lent. */
export function release(pointer: usize): void {
  heap.free(pointer);
}

/**
 * Adds to `out` [panelTo - panelFrom][4][stride] the products of panels `panelFrom..panelTo-1` with all panels up to themselves.
 * `stride` is the number of columns (padded to 4).
 */
export function addProducts(panels: usize, rows: usize, panelFrom: usize, panelTo: usize, stride: usize, out: usize): void {
  const bytes = rows << 5;
  const line = stride << 3;
  for (let p = panelFrom; p < panelTo; p++) {
    for (let q: usize = 0; q <= p; q++) {
      let a = panels + p * bytes, b = panels + q * bytes;
      let s00 = f64x2.splat(0), s01 = f64x2.splat(0), s10 = f64x2.splat(0), s11 = f64x2.splat(0);
      let s20 = f64x2.splat(0), s21 = f64x2.splat(0), s30 = f64x2.splat(0), s31 = f64x2.splat(0);
      const end = a + bytes;
      while (a < end) {
        const b0 = v128.load(b), b1 = v128.load(b, 16);
        const a0 = v128.load64_splat(a), a1 = v128.load64_splat(a, 8), a2 = v128.load64_splat(a, 16), a3 = v128.load64_splat(a, 24);
        s00 = f64x2.add(s00, f64x2.mul(a0, b0));
        s01 = f64x2.add(s01, f64x2.mul(a0, b1));
        s10 = f64x2.add(s10, f64x2.mul(a1, b0));
        s11 = f64x2.add(s11, f64x2.mul(a1, b1));
        s20 = f64x2.add(s20, f64x2.mul(a2, b0));
        s21 = f64x2.add(s21, f64x2.mul(a2, b1));
        s30 = f64x2.add(s30, f64x2.mul(a3, b0));
        s31 = f64x2.add(s31, f64x2.mul(a3, b1));
        a += 32;
        b += 32;
      }
      let to = out + (p - panelFrom) * (line << 2) + (q << 5);
      add(to, s00, s01);
      to += line;
      add(to, s10, s11);
      to += line;
      add(to, s20, s21);
      to += line;
      add(to, s30, s31);
    }
  }
}

// @ts-ignore: decorator
@inline
function add(to: usize, left: v128, right: v128): void {
  v128.store(to, f64x2.add(v128.load(to), left));
  v128.store(to, f64x2.add(v128.load(to, 16), right), 16);
}
