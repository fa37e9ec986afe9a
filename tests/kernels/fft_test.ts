import assert from "node:assert/strict";
import { fastLength, fft1, fft3, fftLines, frequencyOf, irfft3, rfft3 } from "../../plugins/kernels/fft.ts";
import { createRandom } from "../../plugins/kernels/random.ts";
import { ShapeError } from "../../streams/errors.ts";

/** Relative to the largest value: float64 sums of at most a few thousand terms. */
const FLOAT64 = 1e-12;
/** Relative to the largest value: float32 has 6e-8 of precision, and each of some ten passes rounds once. */
const FLOAT32 = 2e-6;

function randomArray(length: number, key: string, single = false): Float64Array | Float32Array {
  const random = createRandom(5, "fft test", key);
  const out = single ? new Float32Array(length) : new Float64Array(length);
  for (let i = 0; i < length; i++) out[i] = random.normal();
  return out;
}

/** The definition, term by term, with the angle reduced exactly. */
function naive(data: ArrayLike<number>): Float64Array {
  const n = data.length / 2;
  const out = new Float64Array(2 * n);
  for (let k = 0; k < n; k++) {
    for (let i = 0; i < n; i++) {
      const angle = -2 * Math.PI * ((k * i) % n) / n;
      const c = Math.cos(angle), s = Math.sin(angle);
      out[2 * k] += data[2 * i] * c - data[2 * i + 1] * s;
      out[2 * k + 1] += data[2 * i] * s + data[2 * i + 1] * c;
    }
  }
  return out;
}

function assertClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number, what: string) {
  assert.equal(actual.length, expected.length, what);
  let largest = 1e-300, worst = 0;
  for (let i = 0; i < expected.length; i++) {
    largest = Math.max(largest, Math.abs(expected[i]));
    worst = Math.max(worst, Math.abs(actual[i] - expected[i]));
  }
  assert.ok(worst <= tolerance * largest, `${what}: ${worst / largest} of the largest value apart, at most ${tolerance} allowed`);
}

const LENGTHS = [
  1,
  2,
  3,
  4,
  5,
  6,
  7,
  8,
  9,
  12,
  13,
  16,
  18,
  20,
  21,
  24,
  25,
  31,
  32,
  35,
  36,
  45,
  48,
  60,
  61,
  64,
  67,
  77,
  97,
  116,
  128,
  134,
  149,
];

Deno.test("`fft1()` is the definition at every kind of length: powers, mixed radices, primes, Bluestein", () => {
  for (const n of LENGTHS) {
    const data = randomArray(2 * n, `line ${n}`);
    const expected = naive(data);
    const double = Float64Array.from(data);
    fft1(double);
    assertClose(double, expected, FLOAT64, `float64, ${n} points`);
    const single = Float32Array.from(data);
    const singleExpected = naive(single);
    fft1(single);
    assertClose(single, singleExpected, FLOAT32, `float32, ${n} points`);
  }
});

Deno.test("`fft1()` forward then inverse gives the line back", () => {
  for (const n of LENGTHS) {
    const data = randomArray(2 * n, `round ${n}`);
    const copy = Float64Array.from(data);
    fft1(copy);
    fft1(copy, true);
    assertClose(copy, data, FLOAT64, `${n} points`);
  }
});

const SHAPES = [[3, 4, 5], [24, 24, 24], [21, 21, 21], [8, 1, 7], [1, 1, 12], [5, 67, 6], [16, 18, 20], [32, 9, 13]] as const;

Deno.test("`fft3()` is `fft1()` along each axis in turn", () => {
  for (const shape of SHAPES) {
    const [nz, ny, nx] = shape;
    const data = randomArray(2 * nz * ny * nx, `volume ${shape}`);
    const expected = Float64Array.from(data);
    const along = (count: number, length: number, offset: (line: number) => number, stride: number) => {
      for (let line = 0; line < count; line++) {
        const values = new Float64Array(2 * length);
        const start = offset(line);
        for (let i = 0; i < length; i++) {
          values[2 * i] = expected[2 * (start + i * stride)];
          values[2 * i + 1] = expected[2 * (start + i * stride) + 1];
        }
        fft1(values);
        for (let i = 0; i < length; i++) {
          expected[2 * (start + i * stride)] = values[2 * i];
          expected[2 * (start + i * stride) + 1] = values[2 * i + 1];
        }
      }
    };
    along(nz * ny, nx, (line) => line * nx, 1);
    along(nz * nx, ny, (line) => Math.floor(line / nx) * ny * nx + line % nx, nx);
    along(ny * nx, nz, (line) => line, ny * nx);
    const double = Float64Array.from(data);
    fft3(double, shape);
    assertClose(double, expected, FLOAT64, `float64 ${shape}`);
    const single = Float32Array.from(data);
    fft3(single, shape);
    assertClose(single, expected, FLOAT32, `float32 ${shape}`);
    fft3(single, shape, true);
    assertClose(single, data, FLOAT32, `float32 ${shape} and back`);
  }
});

Deno.test("`rfft3()` is the first half of `fft3()` and `irfft3()` brings the volume back", () => {
  for (const shape of SHAPES) {
    const [nz, ny, nx] = shape;
    const half = (nx >> 1) + 1;
    for (const single of [false, true]) {
      const real = randomArray(nz * ny * nx, `real ${shape}`, single);
      const full = new Float64Array(2 * real.length);
      real.forEach((value, i) => full[2 * i] = value);
      fft3(full, shape);
      const expected = new Float64Array(2 * nz * ny * half);
      for (let row = 0; row < nz * ny; row++) {
        for (let k = 0; k < 2 * half; k++) expected[2 * row * half + k] = full[2 * row * nx + k];
      }
      const spectrum = rfft3(real, shape);
      const tolerance = single ? FLOAT32 : FLOAT64;
      assertClose(spectrum, expected, tolerance, `rfft3 ${shape} ${single ? "float32" : "float64"}`);
      assertClose(irfft3(spectrum, shape), real, tolerance, `irfft3 ${shape} ${single ? "float32" : "float64"}`);
    }
  }
});

Deno.test("`fft3()` agrees with SciPy's `fftn` on the committed volume", () => {
  const fixture = JSON.parse(Deno.readTextFileSync(new URL("../fixtures/fft.json", import.meta.url)));
  for (const { shape, input, spectrum } of fixture.cases) {
    const data = Float64Array.from(input as number[]);
    fft3(data, shape);
    // The fixture is written with 9 significant digits.
    assertClose(data, spectrum, 1e-8, `SciPy ${shape}`);
  }
});

Deno.test("`fft3()` gives the same bits every time", () => {
  const data = randomArray(2 * 24 * 24 * 24, "bits", true) as Float32Array;
  const first = data.slice(), second = data.slice();
  fft3(first, [24, 24, 24]);
  fft3(second, [24, 24, 24]);
  assert.deepEqual(first, second);
});

Deno.test("`fft3()` keeps the energy (Parseval) and turns a shift into a phase", () => {
  const n = 18, volume = n * n * n;
  const real = randomArray(volume, "shift");
  const spectrumOf = (shift: number) => {
    const data = new Float64Array(2 * volume);
    for (let i = 0; i < volume; i++) data[2 * (Math.floor(i / n) * n + (i + shift) % n)] = real[i];
    fft3(data, [n, n, n]);
    return data;
  };
  const still = spectrumOf(0), moved = spectrumOf(3);
  let energy = 0;
  for (const value of real) energy += value * value;
  const spectral = still.reduce((sum, v) => sum + v * v, 0) / volume;
  assert.ok(Math.abs(spectral - energy) <= FLOAT64 * energy * n);
  const rotated = new Float64Array(2 * volume);
  for (let i = 0; i < volume; i++) {
    const angle = -2 * Math.PI * 3 * (i % n) / n;
    rotated[2 * i] = still[2 * i] * Math.cos(angle) - still[2 * i + 1] * Math.sin(angle);
    rotated[2 * i + 1] = still[2 * i] * Math.sin(angle) + still[2 * i + 1] * Math.cos(angle);
  }
  assertClose(moved, rotated, FLOAT64, "shift by three voxels along x");
});

Deno.test("a volume too large for one piece has the same transform: a plane wave gives a single coefficient", () => {
  // 39 MB: every axis goes through in pieces, the last by columns.
  const shape = [64, 256, 300] as const;
  const [nz, ny, nx] = shape;
  const wave = (n: number, k: number) => Float64Array.from({ length: n }, (_, i) => 2 * Math.PI * ((k * i) % n) / n);
  const [az, ay, ax] = [wave(nz, 7), wave(ny, 5), wave(nx, 3)];
  const data = new Float32Array(2 * nz * ny * nx), real = new Float32Array(nz * ny * nx);
  for (let z = 0, i = 0; z < nz; z++) {
    for (let y = 0; y < ny; y++) {
      for (let x = 0; x < nx; x++, i++) {
        const angle = az[z] + ay[y] + ax[x];
        data[2 * i] = real[i] = Math.cos(angle);
        data[2 * i + 1] = Math.sin(angle);
      }
    }
  }
  const only = (spectrum: Float32Array, at: number, value: number, what: string) => {
    const n = nz * ny * nx;
    assert.ok(Math.abs(spectrum[2 * at] - value) <= FLOAT32 * n, what);
    spectrum[2 * at] = 0;
    let worst = 0;
    for (const v of spectrum) worst = Math.max(worst, Math.abs(v));
    assert.ok(worst <= FLOAT32 * n, `${what}: ${worst} beside the wave`);
  };
  const half = nx / 2 + 1;
  const spectrum = rfft3(real, shape);
  const back = irfft3(spectrum.slice(), shape);
  only(spectrum, (7 * ny + 5) * half + 3, real.length / 2, "rfft3");
  assertClose(back, real, FLOAT32, "irfft3");
  fft3(data, shape);
  only(data, (7 * ny + 5) * nx + 3, real.length, "fft3");
});

Deno.test("`fftLines()` transforms one axis and leaves the others alone", () => {
  const data = randomArray(2 * 3 * 8 * 11, "lines");
  const copy = Float64Array.from(data);
  fftLines(copy, 3, 8, 11);
  for (const [outer, column] of [[0, 0], [1, 4], [2, 10]]) {
    const line = (of: ArrayLike<number>) =>
      Float64Array.from({ length: 16 }, (_, i) => of[2 * ((outer * 8 + (i >> 1)) * 11 + column) + (i & 1)]);
    assertClose(line(copy), naive(line(data)), FLOAT64, `line ${outer}, ${column}`);
  }
  assert.throws(() => fftLines(copy, 3, 8, 10), ShapeError);
});

Deno.test("`fft3()` refuses an array of another length, and says both numbers", () => {
  assert.throws(() => fft3(new Float32Array(10), [2, 2, 2]), (e) => e instanceof ShapeError && /10 numbers.*16 expected/.test(e.message));
  assert.throws(() => fft1(new Float32Array(3)), ShapeError);
  assert.throws(() => rfft3(new Float32Array(3), [2, 2, 2]), ShapeError);
  assert.throws(() => irfft3(new Float32Array(3), [2, 2, 2]), ShapeError);
});

Deno.test("`frequencyOf()` and `fastLength()` know their edges", () => {
  assert.deepEqual([0, 1, 2, 3].map((k) => frequencyOf(k, 4)), [0, 1, -2, -1]);
  assert.deepEqual([0, 1, 2, 3, 4].map((k) => frequencyOf(k, 5)), [0, 1, 2, -2, -1]);
  assert.deepEqual([1, 7, 11, 13, 928, 961].map(fastLength), [1, 8, 12, 15, 960, 972]);
});
