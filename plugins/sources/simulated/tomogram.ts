/**
 * One simulated tomogram: layout, density, imaging.
 * @module
 */
import type { Triple } from "../../../streams/contract.ts";
import { addParticle, MEAN_DENSITY, type Template } from "../../kernels/density.ts";
import { filterSections, filterVolume, paddedPitch, removePadding } from "../../kernels/fourier_filter.ts";
import { createRandom } from "../../kernels/random.ts";
import { type Matrix3, matrixToEulerZyz, randomRotation } from "../../kernels/rotation.ts";
import { type Imaging, isRadial, sectionGains, wedgeOf } from "./imaging.ts";
import { placeSheet, placeSpheres, type Sheet, type Sphere } from "./placement.ts";
import { type Scene, type SceneTomogram, speciesName } from "./scene.ts";

/** A species, ready to be rendered. */
export interface LoadedSpecies {
  /** Label in the truth. */
  readonly name: string;
  /** What is rendered. */
  readonly template: Template;
  /** Particles in each tomogram that does not say otherwise, or boxes in the stack. */
  readonly count: number;
  /** Factor on the density. */
  readonly relativeDensity: number;
}

/** A scene whose templates are made and whose noise is known. */
export interface PreparedScene {
  /** The scene itself. */
  readonly scene: Scene;
  /** Its species, in its order. */
  readonly species: readonly LoadedSpecies[];
  /** How densities become volumes, missing wedge included. */
  readonly imaging: Imaging;
  /** Variance of a lone particle's signal over the SNR's box, averaged over all particles. */
  readonly signalVariance: number;
  /** Side of the SNR's box, in voxels. */
  readonly snrBoxVoxels: number;
}

/** What lies where in one tomogram; unit: voxels. */
export interface Layout {
  /** Shape of the volume. */
  readonly shapeZyx: Triple;
  /** `[n]` species of each particle. */
  readonly species: Int32Array;
  /** `[n, 3]` x, y, z. */
  readonly centresXyz: Float64Array;
  /** `[n]` rotations. */
  readonly poses: readonly Matrix3[];
  /** `[n, 3]` rot, tilt, psi in degrees. */
  readonly eulerZyzDegrees: Float64Array;
  /** Membrane sheets. */
  readonly sheets: readonly Sheet[];
  /** `[beads, 3]` x, y, z. */
  readonly goldXyz: Float64Array;
}

/** Which volume of a tomogram is rendered. */
export interface Variant {
  /** Deviation of the noise after the gains; 0: none. */
  readonly noiseDeviation: number;
  /** Whether it has the missing wedge. */
  readonly missingWedge: boolean;
  /** Keys the noise: `raw` or a paired volume's name. */
  readonly name: string;
}

/** Deviation of a membrane's leaflet. */
const LEAFLET_SIGMA_ANGSTROM = 10;
/** Densities of membranes and beads are told in units of this: about a protein's own, as a model's diameter holds much water too. */
const PROTEIN_DENSITY = 3 * MEAN_DENSITY;

/** Places everything in tomogram `index` of a scene. @throws {RunError} When it does not fit. */
export function layOut(prepared: PreparedScene, index: number): Layout {
  const { scene, species } = prepared;
  const tomogram = tomogramOf(scene, index);
  const [nx, ny, nz] = tomogram.shapeXyzVoxels;
  const shapeZyx: Triple = [nz, ny, nx];
  const voxel = scene.voxelSizeAngstrom;
  const random = (what: string) => createRandom(scene.seed, "scene", tomogram.id, what);
  const sheetRandom = random("membranes");
  const sheets = scene.membranes.map((m) =>
    placeSheet(sheetRandom, shapeZyx, m.radiusAngstrom / voxel, m.thicknessAngstrom / voxel, LEAFLET_SIGMA_ANGSTROM / voxel)
  );
  const spheres: Sphere[] = [], kinds: number[] = [];
  species.forEach((kind, k) => {
    const radius = kind.template.diameterVoxels / 2;
    const margin = Math.max(radius, (scene.edgeMarginAngstrom ?? 0) / voxel);
    const count = tomogram.counts?.[kind.name] ?? kind.count;
    for (let i = 0; i < count; i++) {
      spheres.push({ radius, margin, name: kind.name });
      kinds.push(k);
    }
  });
  const particles = spheres.length;
  const goldRadius = (scene.goldBeads?.diameterAngstrom ?? 0) / voxel / 2;
  for (let i = 0; i < (scene.goldBeads?.count ?? 0); i++) spheres.push({ radius: goldRadius, margin: goldRadius, name: "gold bead" });
  const centres = placeSpheres(random("placement"), shapeZyx, spheres, sheets, scene.minimumGapAngstrom / voxel, tomogram.id);
  const poseRandom = random("poses");
  const poses = kinds.map(() => randomRotation(poseRandom));
  return {
    shapeZyx,
    species: Int32Array.from(kinds),
    centresXyz: centres.slice(0, 3 * particles),
    poses,
    eulerZyzDegrees: Float64Array.from(poses.flatMap((pose) => matrixToEulerZyz(pose))),
    sheets,
    goldXyz: centres.slice(3 * particles),
  };
}

/** The volumes of every tomogram of a scene: `raw`, then the paired ones. */
export function variantsOf(prepared: PreparedScene): Variant[] {
  const { scene, signalVariance } = prepared;
  const deviation = (snr: number | null) => snr === null ? 0 : Math.sqrt(signalVariance / snr);
  return [
    { name: "raw", noiseDeviation: deviation(scene.snr), missingWedge: true },
    ...scene.pairedVolumes.map(({ name, snr, missingWedge }) => ({ name, noiseDeviation: deviation(snr), missingWedge })),
  ];
}

/**
 * Renders one volume of a tomogram, bright particles.
 *
 * Memory: the volume itself and a few sections.
 * @param signal Aborts between sections.
 * @returns `[nz, ny, nx]`.
 */
export function renderTomogram(
  prepared: PreparedScene,
  index: number,
  layout: Layout,
  variant: Variant,
  signal?: AbortSignal,
): Float32Array {
  const { scene } = prepared;
  const imaging: Imaging = variant.missingWedge ? prepared.imaging : { ...prepared.imaging, tiltRangeDegrees: null };
  const { shapeZyx } = layout;
  const [nz, ny, nx] = shapeZyx;
  const pitch = paddedPitch(nx);
  const volume = new Float32Array(nz * ny * pitch);
  addDensity(prepared, layout, volume, [nz, ny, pitch]);
  signal?.throwIfAborted();
  const wedge = wedgeOf(imaging, shapeZyx);
  if (isRadial(imaging)) {
    // Signal and noise have unlike gains but share one volume: the signal first gets the quotient, both then get the noise's.
    const open = wedgeOf({ ...imaging, tiltRangeDegrees: null }, shapeZyx);
    filterVolume(volume, shapeZyx, (ky) => {
      const gains = sectionGains(imaging, shapeZyx, ky, open);
      return gains.signal.map((gain, i) => gain / gains.noise[i]);
    }, signal);
  }
  if (variant.noiseDeviation > 0) {
    const kept = keptOf(imaging, shapeZyx, wedge);
    const deviation = variant.noiseDeviation / Math.sqrt(kept);
    for (let z = 0; z < nz; z++) {
      signal?.throwIfAborted();
      const random = createRandom(scene.seed, "scene", tomogramOf(scene, index).id, "noise", variant.name, z);
      for (let y = 0; y < ny; y++) {
        const row = (z * ny + y) * pitch;
        for (let x = 0; x < nx; x++) volume[row + x] += deviation * random.normal();
      }
    }
  }
  if (imaging.noisePowerExponent !== 0) {
    filterVolume(volume, shapeZyx, (ky) => sectionGains({ ...imaging, ctf: undefined }, shapeZyx, ky, wedge).noise, signal);
  } else if (imaging.tiltRangeDegrees) filterSections(volume, shapeZyx, wedge, signal);
  return removePadding(volume, shapeZyx);
}

/** Tomogram `index` of a scene. @throws {RangeError} When there is none. */
export function tomogramOf(scene: Scene, index: number): SceneTomogram {
  const tomogram = scene.tomograms?.[index];
  if (!tomogram) throw new RangeError(`the scene has no tomogram ${index}`);
  return tomogram;
}

/** Species with their templates, in the order of the scene. */
export function loadedSpecies(scene: Scene, templates: readonly Template[]): LoadedSpecies[] {
  return scene.species.map((species, i) => ({
    name: speciesName(species),
    template: templates[i],
    count: species.count,
    relativeDensity: species.relativeDensity,
  }));
}

/** Variance that white noise of variance 1 keeps after the gains of the whole volume. */
function keptOf(imaging: Imaging, shapeZyx: Triple, wedge: Float32Array): number {
  const [nz, ny, nx] = shapeZyx;
  const half = (nx >> 1) + 1;
  let sum = 0;
  const add = (gain: Float32Array, planes: number, skipZero: boolean) => {
    for (let i = skipZero ? 1 : 0; i < gain.length; i++) {
      const kx = i % half;
      sum += planes * (kx === 0 || 2 * kx === nx ? 1 : 2) * gain[i] * gain[i];
    }
  };
  if (imaging.noisePowerExponent === 0) {
    add(wedge, 1, true);
    add(wedge, ny - 1, false);
  } else {
    const noise = { ...imaging, ctf: undefined };
    for (let ky = 0; ky < ny; ky++) add(sectionGains(noise, shapeZyx, ky, wedge).noise, 1, ky === 0);
  }
  return sum / (nz * ny * nx);
}

/** Adds particles, sheets and beads to a volume of `[nz, ny, pitch]`. */
function addDensity(prepared: PreparedScene, layout: Layout, volume: Float32Array, padded: Triple): void {
  const { scene, species } = prepared;
  layout.species.forEach((kind, i) => {
    const { template, relativeDensity } = species[kind];
    addParticle(volume, padded, template, layout.centresXyz.subarray(3 * i, 3 * i + 3), layout.poses[i], relativeDensity);
  });
  layout.sheets.forEach((sheet, i) => addSheet(volume, padded, sheet, PROTEIN_DENSITY * scene.membranes[i].relativeDensity));
  if (!scene.goldBeads) return;
  const radius = scene.goldBeads.diameterAngstrom / scene.voxelSizeAngstrom / 2;
  for (let i = 0; i < layout.goldXyz.length; i += 3) {
    addBall(volume, padded, layout.goldXyz.subarray(i, i + 3), radius, PROTEIN_DENSITY * scene.goldBeads.relativeDensity);
  }
}

/** Two leaflets of Gaussian profile. */
function addSheet(volume: Float32Array, [nz, ny, nx]: Triple, sheet: Sheet, density: number): void {
  const { centreXyz: [cx, cy, cz], radius, halfThickness, sigma } = sheet;
  const reach = halfThickness + 4 * sigma;
  const inner = Math.max(0, radius - reach) ** 2, outer = (radius + reach) ** 2;
  for (let z = 0; z < nz; z++) {
    for (let y = 0; y < ny; y++) {
      const fixed = (z - cz) ** 2 + (y - cy) ** 2;
      if (fixed > outer) continue;
      const row = (z * ny + y) * nx;
      for (let x = 0; x < nx; x++) {
        const square = fixed + (x - cx) ** 2;
        if (square < inner || square > outer) continue;
        const distance = Math.abs(Math.sqrt(square) - radius);
        volume[row + x] += density *
          (Math.exp(-0.5 * ((distance - halfThickness) / sigma) ** 2) + Math.exp(-0.5 * ((distance + halfThickness) / sigma) ** 2));
      }
    }
  }
}

/** A ball whose edge falls over one voxel. */
function addBall(volume: Float32Array, [nz, ny, nx]: Triple, centre: ArrayLike<number>, radius: number, density: number): void {
  const range = (c: number, n: number) => [Math.max(0, Math.floor(c - radius - 1)), Math.min(n - 1, Math.ceil(c + radius + 1))];
  const [x0, x1] = range(centre[0], nx), [y0, y1] = range(centre[1], ny), [z0, z1] = range(centre[2], nz);
  for (let z = z0; z <= z1; z++) {
    for (let y = y0; y <= y1; y++) {
      for (let x = x0; x <= x1; x++) {
        const distance = Math.hypot(x - centre[0], y - centre[1], z - centre[2]);
        volume[(z * ny + y) * nx + x] += density * Math.min(1, Math.max(0, radius + 0.5 - distance));
      }
    }
  }
}
