import assert from "node:assert/strict";
import { wedgeMask } from "../../plugins/kernels/wedge.ts";
import { fft3 } from "../../plugins/kernels/fft.ts";
import type { Geometry } from "../../streams/contract.ts";

const geometry = (range: Geometry["tiltRangeDegrees"], more: Partial<Geometry> = {}): Geometry => ({
  tiltRangeDegrees: range,
  tiltAxis: "y",
  handedness: 1,
  ...more,
});
const mean = (values: Float32Array) => values.reduce((sum, value) => sum + value, 0) / values.length;

Deno.test("wedgeMask() for +-t is |kz| <= |kx| tan t, with the zero frequency in the middle", () => {
  for (const [n, t] of [[16, 60], [15, 40], [16, 45]]) {
    const mask = wedgeMask(n, geometry([-t, t]), "centred");
    const half = n >> 1;
    const tangent = t === 45 ? 1 : Math.tan(t * Math.PI / 180);
    for (let z = 0; z < n; z++) {
      for (let y = 0; y < n; y++) {
        for (let x = 0; x < n; x++) {
          const expected = Math.abs(z - half) <= Math.abs(x - half) * tangent ? 1 : 0;
          assert.equal(mask[(z * n + y) * n + x], expected, `n ${n}, t ${t}, at ${x - half}, ${y - half}, ${z - half}`);
        }
      }
    }
  }
});

Deno.test("wedgeMask() in fft layout is the centred one moved by floor(N / 2)", () => {
  for (const n of [8, 9]) {
    const centred = wedgeMask(n, geometry([-60, 50]), "centred", 1), fft = wedgeMask(n, geometry([-60, 50]), "fft", 1);
    const half = n >> 1;
    for (let z = 0; z < n; z++) {
      for (let y = 0; y < n; y++) {
        for (let x = 0; x < n; x++) {
          const from = (((z + half) % n) * n + (y + half) % n) * n + (x + half) % n;
          assert.equal(fft[(z * n + y) * n + x], centred[from]);
        }
      }
    }
  }
});

Deno.test("a real volume filtered by the mask of an uneven range stays real, for even and odd sizes", () => {
  for (const n of [8, 9]) {
    const mask = wedgeMask(n, geometry([-70, 20]), "fft", 2);
    const spectrum = new Float64Array(2 * n ** 3);
    for (let i = 0; i < n ** 3; i++) spectrum[2 * i] = Math.sin(i * i);
    fft3(spectrum, [n, n, n]);
    for (let i = 0; i < n ** 3; i++) {
      spectrum[2 * i] *= mask[i];
      spectrum[2 * i + 1] *= mask[i];
    }
    fft3(spectrum, [n, n, n], true);
    // Float64 rounding of a transform of some hundred values of size 1.
    for (let i = 0; i < n ** 3; i++) assert.ok(Math.abs(spectrum[2 * i + 1]) < 1e-12);
  }
});

Deno.test("the central slice of every tilt is measured, and none beyond the range", () => {
  const n = 32, half = 16;
  const at = (mask: Float32Array, kx: number, kz: number) => mask[((kz + half) * n + 3) * n + kx + half];
  for (const handedness of [1, -1] as const) {
    const mask = wedgeMask(n, geometry([-30, 70], { handedness }), "centred");
    for (let tilt = -90; tilt < 90; tilt += 5) {
      const direction = tilt * handedness * Math.PI / 180;
      // Farther than a voxel's half diagonal (0.7) from a face on the grid of radius 14: within 3 degrees nothing is said.
      if (Math.abs(tilt + 30) <= 3 || Math.abs(tilt - 70) <= 3) continue;
      const [kx, kz] = [Math.round(14 * Math.cos(direction)), Math.round(14 * Math.sin(direction))];
      const expected = tilt > -30 && tilt < 70 ? 1 : 0;
      assert.equal(at(mask, kx, kz), expected, `tilt ${tilt}, handedness ${handedness}`);
      assert.equal(at(mask, -kx, -kz), expected);
    }
  }
});

Deno.test("tilt axis x turns the mask about z by 90 degrees; a full range measures everything", () => {
  const n = 12;
  const aboutY = wedgeMask(n, geometry([-50, 60]), "centred"), aboutX = wedgeMask(n, geometry([-50, 60], { tiltAxis: "x" }), "centred");
  for (let z = 0; z < n; z++) {
    for (let y = 0; y < n; y++) {
      for (let x = 0; x < n; x++) assert.equal(aboutX[(z * n + y) * n + x], aboutY[(z * n + x) * n + y]);
    }
  }
  assert.equal(mean(wedgeMask(n, geometry([-90, 90]), "fft")), 1);
});

Deno.test("a soft edge is a ramp across the face that keeps the mean", () => {
  const hard = wedgeMask(32, geometry([-60, 60]), "centred"), soft = wedgeMask(32, geometry([-60, 60]), "centred", 2);
  // The ramp is odd about the face, except near the origin and at the border of the grid.
  assert.ok(Math.abs(mean(hard) - mean(soft)) < 0.01, `${mean(hard)} and ${mean(soft)}`);
  for (let i = 0; i < hard.length; i++) {
    assert.ok(soft[i] >= 0 && soft[i] <= 1);
    if (soft[i] !== 0.5) assert.equal(soft[i] > 0.5 ? 1 : 0, hard[i]);
  }
});

Deno.test("wedgeMask() takes the range from the tilt angles, and refuses an unknown one", () => {
  const range = wedgeMask(8, geometry([-40, 55]), "fft");
  assert.deepEqual(wedgeMask(8, geometry("unknown", { tiltAnglesDegrees: [0, 55, -40, 20] }), "fft"), range);
  assert.throws(() => wedgeMask(8, geometry("unknown"), "fft"), /tilt range is unknown/);
  assert.throws(() => wedgeMask(8, geometry([60, -60]), "fft"), /tilt range 60 to -60 degrees/);
});
