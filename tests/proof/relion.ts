/**
 * Proves the sink `relion-star` with RELION itself: a synthetic set is written through the sink, averaged by relion_reconstruct, and the
 * average compared with the truth; then the same with one convention broken at a time, which must be worse.
 *
 * Needs Debian's package `relion` (3.1.3). Run: deno task proof
 */
import assert from "node:assert/strict";
import { fakeContext } from "../plugins/sources/fake_context.ts";
import { makeRecord, makeView } from "../plugins/sinks/make_view.ts";
import { openMrcVolume } from "../../plugins/formats/mrc.ts";
import { columnOf, findBlock, formatStar, loopOf, parseStar, type StarFile } from "../../plugins/formats/star.ts";
import { fft3 } from "../../plugins/kernels/fft.ts";
import { createRandom } from "../../plugins/kernels/random.ts";
import { eulerZyzToMatrix, matrixToEulerZyz, randomRotation, transpose3 } from "../../plugins/kernels/rotation.ts";
import { wedgeMask } from "../../plugins/kernels/wedge.ts";
import relionStar from "../../plugins/sinks/relion_star.ts";
import type { Geometry } from "../../streams/contract.ts";

const N = 32, COUNT = 60;
/** Uneven, so that a mirrored wedge shows; narrow, so that it matters. */
const GEOMETRY: Geometry = { tiltRangeDegrees: [-50, 30], tiltAxis: "y", handedness: 1 };
/** x, y, z from the centre in voxels, sigma, weight: small blobs without symmetry. */
const BLOBS = [[0, 0, 0, 1.6, 1], [6, 0, 0, 1.1, 1], [0, 5.5, 1, 1.1, 1.2], [-3, -4, 5, 1, 1.1], [2, -2, -7, 1, 1.2], [7, 4, 3, 1, 0.9]];

function render(matrix: Float64Array, shift: readonly number[]): Float32Array {
  const box = new Float32Array(N ** 3);
  for (const [x, y, z, sigma, weight] of BLOBS) {
    const c = [0, 1, 2].map((i) => matrix[3 * i] * x + matrix[3 * i + 1] * y + matrix[3 * i + 2] * z + shift[i] + N / 2);
    for (let k = 0, at = 0; k < N; k++) {
      for (let j = 0; j < N; j++) {
        for (let i = 0; i < N; i++, at++) {
          box[at] += weight * Math.exp(-((i - c[0]) ** 2 + (j - c[1]) ** 2 + (k - c[2]) ** 2) / (2 * sigma * sigma));
        }
      }
    }
  }
  return box;
}

function filter(box: Float32Array, mask: Float32Array): Float32Array {
  const spectrum = new Float64Array(2 * box.length);
  for (let i = 0; i < box.length; i++) spectrum[2 * i] = box[i];
  fft3(spectrum, [N, N, N]);
  for (let i = 0; i < box.length; i++) {
    spectrum[2 * i] *= mask[i];
    spectrum[2 * i + 1] *= mask[i];
  }
  fft3(spectrum, [N, N, N], true);
  return Float32Array.from(box, (_, i) => spectrum[2 * i]);
}

/** Correlation inside a sphere of radius 13. */
function correlate(a: Float32Array, b: Float32Array): number {
  let n = 0, sa = 0, sb = 0, saa = 0, sbb = 0, sab = 0;
  for (let i = 0; i < a.length; i++) {
    const x = i % N - N / 2, y = Math.floor(i / N) % N - N / 2, z = Math.floor(i / (N * N)) - N / 2;
    if (x * x + y * y + z * z > 169) continue;
    n++;
    sa += a[i];
    sb += b[i];
    saa += a[i] * a[i];
    sbb += b[i] * b[i];
    sab += a[i] * b[i];
  }
  return (sab - sa * sb / n) / Math.sqrt((saa - sa * sa / n) * (sbb - sb * sb / n));
}

/** Whether a program is there. */
export async function hasProgram(name: string): Promise<boolean> {
  const { success } = await new Deno.Command("sh", { args: ["-c", `command -v ${name}`], stdout: "null", stderr: "null" }).output();
  return success;
}

/** Runs a program in a folder. @returns What it printed. */
export async function run(folder: string, program: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args, cwd: folder, stdout: "piped", stderr: "piped" }).output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assert.ok(success, `${program} ${args.join(" ")} failed:\n${text}`);
  return text;
}

/** Writes a set through the sink into `folder`. @returns The true density. */
export async function writeSet(folder: string): Promise<Float32Array> {
  const random = createRandom(11, "relion proof");
  const mask = wedgeMask(N, GEOMETRY, "fft");
  const voxels = new Float32Array(COUNT * N ** 3), centresXyz = new Float64Array(3 * COUNT), angles = new Float64Array(3 * COUNT);
  for (let n = 0; n < COUNT; n++) {
    const euler = matrixToEulerZyz(randomRotation(random));
    const centre = [0, 1, 2].map(() => 20 + 10 * random.uniform());
    voxels.set(filter(render(eulerZyzToMatrix(...euler), centre.map((c) => c - Math.round(c))), mask), n * N ** 3);
    centresXyz.set(centre, 3 * n);
    angles.set(euler, 3 * n);
  }
  const rows = Int32Array.from({ length: 2 * COUNT }, (_, i) => i % 2 === 0 ? (i / 2) % 2 : i >> 1);
  const view = makeView({
    tomograms: [makeRecord(0, "tomo a", { geometry: GEOMETRY }), makeRecord(1, "tomo_b", { geometry: GEOMETRY })],
    boxVoxels: N,
    voxels,
    particles: { rows, centresXyz, eulerZyzDegrees: angles, classIds: Int32Array.from({ length: COUNT }, (_, i) => 1 + i % 2) },
  });
  const sink = await relionStar.create(relionStar.options.parse({ starPerClass: true }), fakeContext().context, {});
  await sink.write(view, folder);
  return render(eulerZyzToMatrix(0, 0, 0), [0, 0, 0]);
}

/** Averages a STAR file by relion_reconstruct. @returns Correlation of the average with the truth. */
export async function reconstruct(folder: string, star: string, truth: Float32Array): Promise<number> {
  await run(folder, "relion_reconstruct", "--i", star, "--o", "average.mrc", "--ctf", "--3d_rot");
  await using volume = await openMrcVolume(`${folder}/average.mrc`);
  return correlate(await volume.readSlab(0, N), truth);
}

/** The same file with some columns of the particles changed. */
function change(star: StarFile, columns: readonly string[], replace: (values: number[]) => (number | string)[]): StarFile {
  return {
    ...star,
    blocks: star.blocks.map((block) => ({
      ...block,
      items: block.items.map((item) => {
        if (item.kind !== "loop" || block.name !== "particles") return item;
        const at = columns.map((column) => item.columns.indexOf(column));
        return {
          ...item,
          rows: item.rows.map((row) => {
            const changed = replace(at.map((j) => Number(row[j])));
            return row.map((cell, j) => at.includes(j) ? String(changed[at.indexOf(j)]) : cell);
          }),
        };
      }),
    })),
  };
}

/** Correlation of relion_reconstruct's average with the truth: as written, and with one convention broken at a time. */
export async function proveRelion(folder: string): Promise<Record<string, number>> {
  const truth = await writeSet(folder);
  const figures: Record<string, number> = { "as written": await reconstruct(folder, "particles.star", truth) };
  figures["class 1 alone"] = await reconstruct(folder, "particles_class_01.star", truth);

  const printed = await run(
    folder,
    "relion_star_printtable",
    "particles.star",
    "data_particles",
    "rlnCoordinateX",
    "rlnImageName",
    "rlnClassNumber",
  );
  const text = await Deno.readTextFile(`${folder}/particles.star`);
  const star = parseStar(text, "particles.star");
  const particles = loopOf(findBlock(star, "particles")!);
  const read = ["rlnCoordinateX", "rlnImageName", "rlnClassNumber"].map((name) => columnOf(particles, name)!);
  const lines = printed.trim().split("\n").map((line) => line.trim().split(/\s+/));
  assert.deepEqual(lines, read[0].map((_, i) => read.map((column) => column[i])), "relion_star_printtable reads what was written");

  const angles = ["rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"], origins = ["rlnOriginXAngst", "rlnOriginYAngst", "rlnOriginZAngst"];
  const broken: Record<string, StarFile> = {
    "shifts ignored": change(star, origins, () => [0, 0, 0]),
    "shifts of the wrong sign": change(star, origins, (values) => values.map((value) => -value)),
    "angles inverted": change(star, angles, ([rot, tilt, psi]) => matrixToEulerZyz(transpose3(eulerZyzToMatrix(rot, tilt, psi)))),
  };
  for (const [name, file] of Object.entries(broken)) {
    await Deno.writeTextFile(`${folder}/broken.star`, formatStar(file));
    figures[name] = await reconstruct(folder, "broken.star", truth);
  }
  const wedge = `${folder}/relion/wedge_01.mrc`;
  const bytes = await Deno.readFile(wedge);
  const mirrored = bytes.slice();
  new Float32Array(mirrored.buffer, 1024).set(wedgeMask(N, { ...GEOMETRY, handedness: -1 }, "centred"));
  await Deno.writeFile(wedge, mirrored);
  figures["wedge mirrored"] = await reconstruct(folder, "particles.star", truth);
  await Deno.writeFile(wedge, bytes);
  return figures;
}
