// Spherical-harmonic coefficients of four boxes at a time: voxel i of boxes a, b, c, d lies interleaved at 16 * i bytes, so that every
// instruction serves four boxes and no gather is needed. Tables come from plugins/kernels/invariants.ts.

/** Reserves 16-byte aligned memory that is never freed. */
export function alloc(bytes: i32): usize {
  return heap.alloc(<usize>bytes + 16) + 15 & ~(<usize>15);
}

/** Interleaves four boxes of `count` voxels (a multiple of 4) that lie one after the other. */
export function interleave(source: usize, target: usize, count: i32): void {
  const stride: usize = <usize>count << 2;
  for (let i: usize = 0; i < stride; i += 16) {
    const a = v128.load(source + i);
    const b = v128.load(source + stride + i);
    const c = v128.load(source + 2 * stride + i);
    const d = v128.load(source + 3 * stride + i);
    const ab0 = i32x4.shuffle(a, b, 0, 4, 1, 5);
    const ab1 = i32x4.shuffle(a, b, 2, 6, 3, 7);
    const cd0 = i32x4.shuffle(c, d, 0, 4, 1, 5);
    const cd1 = i32x4.shuffle(c, d, 2, 6, 3, 7);
    const out = target + (i << 2);
    v128.store(out, i64x2.shuffle(ab0, cd0, 0, 2));
    v128.store(out, i64x2.shuffle(ab0, cd0, 1, 3), 16);
    v128.store(out, i64x2.shuffle(ab1, cd1, 0, 2), 32);
    v128.store(out, i64x2.shuffle(ab1, cd1, 1, 3), 48);
  }
}

/**
 * Convolves along one axis with a symmetric kernel (`taps`: half + 1 float32, centre first); outside the box the edge voxel goes on.
 * Writes the block [z0,z1) x [y0,y1) x [x0,x1); `axis` 0 is z, 1 is y, 2 is x.
 */
export function blur(
  source: usize, target: usize, n: i32, axis: i32, taps: usize, half: i32,
  z0: i32, z1: i32, y0: i32, y1: i32, x0: i32, x1: i32,
): void {
  const step: i32 = axis == 0 ? n * n : axis == 1 ? n : 1;
  for (let z = z0; z < z1; z++) {
    for (let y = y0; y < y1; y++) {
      for (let x = x0; x < x1; x++) {
        const at = (z * n + y) * n + x;
        const along = axis == 0 ? z : axis == 1 ? y : x;
        let sum = f32x4.mul(v128.load(source + (<usize>at << 4)), v128.load32_splat(taps));
        for (let j = 1; j <= half; j++) {
          const below = at - min(j, along) * step;
          const above = at + min(j, n - 1 - along) * step;
          sum = f32x4.add(
            sum,
            f32x4.mul(
              f32x4.add(v128.load(source + (<usize>below << 4)), v128.load(source + (<usize>above << 4))),
              v128.load32_splat(taps + (<usize>j << 2)),
            ),
          );
        }
        v128.store(target + (<usize>at << 4), sum);
      }
    }
  }
}

/** Trilinear samples: point p reads the cell whose lowest corner is voxel `cells[p]` with the eight float32 `weights` [p, 8] (x fastest). */
export function sample(source: usize, target: usize, cells: usize, weights: usize, points: i32, n: i32): void {
  const dy: usize = <usize>n << 4;
  const dz: usize = <usize>(n * n) << 4;
  for (let p = 0; p < points; p++) {
    const a = source + (<usize>load<u32>(cells + (<usize>p << 2)) << 4);
    const w = weights + (<usize>p << 5);
    let lower = f32x4.mul(v128.load(a), v128.load32_splat(w));
    lower = f32x4.add(lower, f32x4.mul(v128.load(a, 16), v128.load32_splat(w, 4)));
    lower = f32x4.add(lower, f32x4.mul(v128.load(a + dy), v128.load32_splat(w, 8)));
    lower = f32x4.add(lower, f32x4.mul(v128.load(a + dy, 16), v128.load32_splat(w, 12)));
    let upper = f32x4.mul(v128.load(a + dz), v128.load32_splat(w, 16));
    upper = f32x4.add(upper, f32x4.mul(v128.load(a + dz, 16), v128.load32_splat(w, 20)));
    upper = f32x4.add(upper, f32x4.mul(v128.load(a + dz + dy), v128.load32_splat(w, 24)));
    upper = f32x4.add(upper, f32x4.mul(v128.load(a + dz + dy, 16), v128.load32_splat(w, 28)));
    v128.store(target + (<usize>p << 4), f32x4.add(lower, upper));
  }
}

/** Products of the samples of `shells` shells with the weighted harmonics `table` [points, harmonics]; harmonics is a multiple of 7. */
export function project(samples: usize, target: usize, table: usize, shells: i32, points: i32, harmonics: i32): void {
  const row: usize = <usize>harmonics << 2;
  for (let s = 0; s < shells; s++) {
    const first = samples + (<usize>(s * points) << 4);
    const out = target + (<usize>(s * harmonics) << 4);
    for (let h = 0; h < harmonics; h += 7) {
      let c0 = f32x4.splat(0), c1 = c0, c2 = c0, c3 = c0, c4 = c0, c5 = c0, c6 = c0;
      let w = table + (<usize>h << 2);
      let at = first;
      for (let p = 0; p < points; p++) {
        const v = v128.load(at);
        c0 = f32x4.add(c0, f32x4.mul(v, v128.load32_splat(w)));
        c1 = f32x4.add(c1, f32x4.mul(v, v128.load32_splat(w, 4)));
        c2 = f32x4.add(c2, f32x4.mul(v, v128.load32_splat(w, 8)));
        c3 = f32x4.add(c3, f32x4.mul(v, v128.load32_splat(w, 12)));
        c4 = f32x4.add(c4, f32x4.mul(v, v128.load32_splat(w, 16)));
        c5 = f32x4.add(c5, f32x4.mul(v, v128.load32_splat(w, 20)));
        c6 = f32x4.add(c6, f32x4.mul(v, v128.load32_splat(w, 24)));
        w += row;
        at += 16;
      }
      const o = out + (<usize>h << 4);
      v128.store(o, c0);
      v128.store(o, c1, 16);
      v128.store(o, c2, 32);
      v128.store(o, c3, 48);
      v128.store(o, c4, 64);
      v128.store(o, c5, 80);
      v128.store(o, c6, 96);
    }
  }
}
