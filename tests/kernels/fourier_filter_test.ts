import assert from "node:assert/strict";
import { fft3 } from "../../plugins/kernels/fft.ts";
import { filterSections, filterVolume, paddedPitch, removePadding, wedgeSection } from "../../plugins/kernels/fourier_filter.ts";
import { createRandom } from "../../plugins/kernels/random.ts";
import { wedgeMask } from "../../plugins/kernels/wedge.ts";
import { ShapeError } from "../../streams/errors.ts";
import type { Triple } from "../../streams/contract.ts";

/** Float32 transforms there and back, of numbers about 1. */
const ROUND_TRIP = 1e-5;

function padded(shapeZyx: Triple, key: string): { volume: Float32Array; plain: Float64Array } {
  const [nz, ny, nx] = shapeZyx, pitch = paddedPitch(nx);
  const random = createRandom(9, key);
  const volume = new Float32Array(nz * ny * pitch), plain = new Float64Array(nz * ny * nx);
  for (let row = 0; row < nz * ny; row++) {
    // Whatever stands in the padding must not matter.
    for (let x = 0; x < pitch; x++) volume[row * pitch + x] = random.normal();
    for (let x = 0; x < nx; x++) plain[row * nx + x] = volume[row * pitch + x];
  }
  return { volume, plain };
}

/** Multiplies the whole spectrum, by the definition. */
function filterPlainly(plain: Float64Array, shapeZyx: Triple, gain: (kz: number, ky: number, kx: number) => number): Float64Array {
  const [nz, ny, nx] = shapeZyx;
  const data = new Float64Array(2 * plain.length);
  plain.forEach((v, i) => data[2 * i] = v);
  fft3(data, shapeZyx);
  for (let z = 0, i = 0; z < nz; z++) {
    for (let y = 0; y < ny; y++) {
      for (let x = 0; x < nx; x++, i++) {
        const factor = gain(Math.min(z, nz - z), Math.min(y, ny - y), Math.min(x, nx - x));
        data[2 * i] *= factor;
        data[2 * i + 1] *= factor;
      }
    }
  }
  fft3(data, shapeZyx, true);
  return plain.map((_, i) => data[2 * i]);
}

function assertClose(actual: ArrayLike<number>, expected: ArrayLike<number>) {
  assert.equal(actual.length, expected.length);
  for (let i = 0; i < expected.length; i++) {
    assert.ok(Math.abs(actual[i] - expected[i]) <= ROUND_TRIP, `[${i}] ${actual[i]} is not ${expected[i]}`);
  }
}

const SHAPES: readonly Triple[] = [[6, 5, 8], [7, 4, 9], [12, 10, 16]];

Deno.test("`filterVolume()` multiplies the spectrum of what lies inside the padding", () => {
  for (const shape of SHAPES) {
    const [nz, , nx] = shape, half = (nx >> 1) + 1;
    const factor = (kz: number, ky: number, kx: number) => 1 / (1 + kz + 2 * ky + 3 * kx);
    const { volume, plain } = padded(shape, "volume");
    filterVolume(volume, shape, (ky) =>
      Float32Array.from({ length: nz * half }, (_, i) => {
        const z = Math.floor(i / half);
        return factor(Math.min(z, nz - z), Math.min(ky, shape[1] - ky), i % half);
      }));
    assertClose(removePadding(volume, shape), filterPlainly(plain, shape, factor));
  }
});

Deno.test("`filterSections()` multiplies the spectrum by gains that do not change along y", () => {
  for (const shape of SHAPES) {
    const [nz, , nx] = shape, half = (nx >> 1) + 1;
    const factor = (kz: number, _ky: number, kx: number) => (kz + kx) % 3;
    const { volume, plain } = padded(shape, "sections");
    filterSections(
      volume,
      shape,
      Float32Array.from({ length: nz * half }, (_, i) => {
        const z = Math.floor(i / half);
        return factor(Math.min(z, nz - z), 0, i % half);
      }),
    );
    assertClose(removePadding(volume, shape), filterPlainly(plain, shape, factor));
  }
});

Deno.test("`wedgeSection()` of a cube is the plane of `wedgeMask()`", () => {
  for (const range of [[-60, 60], [-40, 55], [-90, 90], [-45, 45]] as const) {
    for (const n of [8, 24, 21]) {
      const mask = wedgeMask(n, { tiltRangeDegrees: range, tiltAxis: "y", handedness: 1 }, "fft");
      const section = wedgeSection(n, n, range), half = (n >> 1) + 1;
      for (let z = 0; z < n; z++) {
        for (let x = 0; x < half; x++) {
          assert.equal(section[z * half + x], mask[z * n * n + x], `${range} degrees, ${n} voxels, kz ${z}, kx ${x}`);
        }
      }
    }
  }
});

Deno.test("`wedgeSection()` of an oblong volume goes by physical frequency", () => {
  // Four times as many points along x: the face at 45 degrees runs through kx = 4 kz.
  const section = wedgeSection(8, 32, [-45, 45]);
  for (let kz = 0; kz < 4; kz++) {
    for (let kx = 0; kx < 16; kx++) assert.equal(section[kz * 17 + kx], kx >= 4 * kz ? 1 : 0, `kz ${kz}, kx ${kx}`);
  }
});

Deno.test("a length that does not belong to the shape is refused with both numbers", () => {
  assert.throws(
    () => filterVolume(new Float32Array(10), [2, 2, 2], () => new Float32Array(4)),
    (e) => e instanceof ShapeError && /10 numbers.*2 x 2 x 2 \(16 expected\)/.test(e.message),
  );
  assert.throws(() => filterSections(new Float32Array(16), [2, 2, 2], new Float32Array(3)), ShapeError);
});

Deno.test("an abort ends a filter between sections", () => {
  const abort = new AbortController();
  abort.abort(new Error("stopped"));
  assert.throws(() => filterSections(new Float32Array(16), [2, 2, 2], new Float32Array(4), abort.signal), /stopped/);
  assert.throws(() => filterVolume(new Float32Array(16), [2, 2, 2], () => new Float32Array(4), abort.signal), /stopped/);
});
