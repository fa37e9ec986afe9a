/**
 * Picks particles of a known shape: peaks of a normalised cross-correlation with a template in many orientations.
 * @module
 */
import { definePlugin, type Picks, type PluginContext, type Tomogram } from "../../streams/contract.ts";
import { InputError, RunError } from "../../streams/errors.ts";
import { namedVolume, tomogramLabel } from "../denoisers/named_volume.ts";
import { readTemplate } from "../formats/template.ts";
import { upperNormalQuantile } from "../kernels/normal_tail.ts";
import { matrixToEulerZyz } from "../kernels/rotation.ts";
import { superFibonacciRotations } from "../kernels/super_fibonacci.ts";
import { suppress } from "../kernels/suppress.ts";
import { maskReach, type TemplateSettings } from "../kernels/template_correlation.ts";
import { tiltRangeOf } from "../kernels/wedge.ts";
import { inTiles } from "./pick_order.ts";
import { templateFaults, type TemplateOptions, templateOptions } from "./template_options.ts";
import { scoreVolume } from "./template_tiles.ts";

/** Width over which the mask falls off. */
const MASK_EDGE_VOXELS = 2;
/** Least distance of picks as a share of the template's diameter. */
const DISTANCE_OF_DIAMETER = 0.75;

/**
 * Picks local maxima of the best correlation coefficient over a grid of orientations (a super-Fibonacci spiral) between the tomogram and the
 * template after the tomogram's own missing wedge, locally normalised under a soft sphere. The score is that coefficient; the angles are those
 * of the best orientation (rot, tilt, psi, as RELION has them). Places where the sphere would leave the volume are not scored. Refuses
 * tomograms whose tilt range is unknown. `threshold.falsePicks` takes the deviation of all scores of all orientations, and the number of
 * places and orientations as independent trials.
 * @see Hrabe et al. 2012, J. Struct. Biol. 178 (PyTom); Rickgauer et al. 2017, eLife 6, for the threshold. Differs from PyTom: the grid.
 */
export default definePlugin({
  apiVersion: 1,
  name: "template-matching",
  kind: "picker",
  summary: "Particles of a known shape with their orientations: correlation with a template under the missing wedge",
  input: "tomogram",
  output: "picks",
  options: templateOptions,
  check: templateFaults,
  create(options, context) {
    const [fault] = templateFaults(options);
    if (fault) throw new RunError(`${context.stage}: ${fault}`);
    return { apply: (tomogram, signal) => pick(tomogram, options, context, signal) };
  },
});

async function pick(tomogram: Tomogram, options: TemplateOptions, context: PluginContext, signal: AbortSignal): Promise<Picks> {
  const volume = namedVolume(tomogram, options.volume, context.stage), label = tomogramLabel(tomogram);
  const { voxelSizeAngstrom, shapeZyx } = volume, { geometry } = tomogram;
  if (!tiltRangeOf(geometry)) {
    throw new InputError(
      label,
      `the tilt range is unknown, and a template must be compared through the missing wedge: state source.options.tiltRangeDegrees ` +
        `([-90, 90] where nothing is missing)`,
    );
  }
  if (!(voxelSizeAngstrom > 0)) throw new InputError(label, `the voxel size is unknown: state source.options.voxelSizeAngstrom`);
  const name = options.model ?? options.map ?? options.atoms!;
  const template = await readTemplate(name, options, voxelSizeAngstrom, "mapVoxelSizeAngstrom");
  const maskRadiusVoxels = options.maskRadiusAngstrom === undefined
    ? template.diameterVoxels / 2
    : options.maskRadiusAngstrom / voxelSizeAngstrom;
  const settings: TemplateSettings = { template, geometry, maskRadiusVoxels, maskEdgeVoxels: MASK_EDGE_VOXELS };
  const reach = maskReach(settings);
  if (shapeZyx.some((n) => n <= 2 * reach)) {
    const [nz, ny, nx] = shapeZyx;
    throw new InputError(label, `has ${nx} x ${ny} x ${nz} voxels (x, y, z), the template's mask ${2 * reach + 1} a side: it fits nowhere`);
  }
  const rotations = orientations(options, context);
  const total = rotations.length / 9;
  context.note(
    "orientations",
    `${total} orientations, ${options.angularStepDegrees} degrees apart` +
      `${options.symmetryFold > 1 ? `, ${options.symmetryFold}-fold symmetry used` : ""}; mask of radius ${
        maskRadiusVoxels.toFixed(1)
      } voxels`,
  );
  const least = "score" in options.threshold ? options.threshold.score : 0;
  const { maxima, count, deviation } = await scoreVolume(volume, settings, rotations, least, options.tileVoxels, context, signal);
  if (!Number.isFinite(deviation)) {
    throw new InputError(label, `volume "${options.volume}" holds voxels that are not finite numbers (NaN or infinite): replace them`);
  }
  if (!(deviation > 0)) throw new InputError(label, `volume "${options.volume}" is constant: there is nothing to pick; check the file`);
  const threshold = "score" in options.threshold
    ? options.threshold.score
    : deviation * upperNormalQuantile(Math.min(0.1, options.threshold.falsePicks / count));
  const distance = options.minimumDistanceVoxels ?? DISTANCE_OF_DIAMETER * template.diameterVoxels;
  return toPicks(tomogram, maxima, rotations, threshold, distance, options, context);
}

/** `[n, 9]`: the whole sphere, or of rotations that a symmetry makes alike the one whose first angle is least. */
function orientations({ angularStepDegrees, symmetryFold }: TemplateOptions, context: PluginContext): Float32Array {
  const step = angularStepDegrees * Math.PI / 180, count = Math.ceil(8 * Math.PI ** 2 / step ** 3);
  const all = superFibonacciRotations(count, context.random("orientations"));
  if (symmetryFold === 1) return all;
  const kept: number[] = [];
  for (let i = 0; i < all.length; i += 9) {
    const matrix = all.subarray(i, i + 9), [rot] = matrixToEulerZyz(Float64Array.from(matrix));
    if ((rot + 360) % 360 < 360 / symmetryFold) kept.push(...matrix);
  }
  return Float32Array.from(kept);
}

function toPicks(
  tomogram: Tomogram,
  maxima: readonly Float64Array[],
  rotations: Float32Array,
  threshold: number,
  distance: number,
  options: TemplateOptions,
  context: PluginContext,
): Picks {
  const xyz: number[] = [], score: number[] = [], rotation: number[] = [];
  for (const part of maxima) {
    for (let i = 0; i < part.length; i += 5) {
      if (!(part[i + 3] >= threshold)) continue;
      xyz.push(part[i], part[i + 1], part[i + 2]);
      score.push(part[i + 3]);
      rotation.push(part[i + 4]);
    }
  }
  context.note("threshold", `tomogram "${tomogram.id}": a score of ${threshold.toFixed(4)} and more is a pick`);
  const apart = suppress(xyz, score, distance), kept = apart.slice(0, options.maximumPicks ?? apart.length);
  if (kept.length < apart.length) {
    context.note("maximum-picks", `tomogram "${tomogram.id}": ${apart.length} picks, the strongest ${kept.length} are kept`);
  }
  if (kept.length === 0) {
    context.warn(
      "no-picks",
      `tomogram "${tomogram.id}": no peak passes; lower "threshold", or check contrast, size and hand of the template`,
    );
  }
  const order = inTiles(kept, Float64Array.from(xyz));
  return {
    tomogram,
    centresXyz: Float64Array.from({ length: 3 * order.length }, (_, i) => xyz[3 * order[Math.floor(i / 3)] + i % 3]),
    score: Float32Array.from(order, (i) => score[i]),
    eulerZyzDegrees: Float64Array.from(
      [...order].flatMap((i) => matrixToEulerZyz(Float64Array.from(rotations.subarray(9 * rotation[i], 9 * rotation[i] + 9)))),
    ),
    columns: {},
  };
}
