/**
 * RELION's `tomograms.star` as a table of tilt geometries.
 *
 * | | RELION 4 | RELION 5 |
 * |---|---|---|
 * | tilts | in a block a tomogram | in files that `rlnTomoTiltSeriesStarFile` names |
 * | angle | from the projection matrix: its third row (a, b, c) looks along the beam, so the tilt about y is atan(-a / c), about x atan(-b / c) | `rlnTomoYTilt`, else `rlnTomoNominalStageTiltAngle` |
 * | defocus | mean of `rlnDefocusU` and `rlnDefocusV` over the tilts, Angstrom | the same |
 * | dose | the largest `rlnMicrographPreExposure` and the dose of one tilt more | the same |
 *
 * `rlnTomoHand` says which way defocus changes with height; it says nothing of the wedge.
 * @module
 */
import { InputError } from "../../streams/errors.ts";
import type { StatedGeometry } from "./geometry_csv.ts";
import { columnOf, loopOf, numbersOf, parseStar, type StarLoop } from "./star.ts";

/** What the table says of one tomogram. */
export interface RelionTomogram {
  readonly stated: StatedGeometry;
  /** The file that holds its tilts, as it is written; absent where the table itself has them. */
  readonly tiltSeriesFile?: string;
}

/**
 * Reads the table; with `tiltSeriesFile`, {@linkcode parseRelionTilts} reads what is missing.
 * @throws {InputError} When it holds no table of tomograms.
 */
export function parseRelionTomograms(text: string, path: string): Map<string, RelionTomogram> {
  const { blocks } = parseStar(text, path), loops = blocks.map(loopOf);
  const global = loops.find(({ columns }) => columns.includes("rlnTomoName") && !columns.includes("rlnCoordinateX"));
  if (!global) throw new InputError(path, "no table with rlnTomoName: is this RELION's tomograms.star?");
  const names = columnOf(global, "rlnTomoName")!, files = columnOf(global, "rlnTomoTiltSeriesStarFile");
  const doses = columnOf(global, "rlnTomoImportFractionalDose"), hands = columnOf(global, "rlnTomoHand");
  return new Map(names.map((name, i) => {
    const hand = Number(hands?.[i]);
    const own: StatedGeometry = hand === 1 || hand === -1 ? { defocusHandedness: hand } : {};
    const block = blocks.findIndex((each) => each.name === name);
    if (block >= 0 && loops[block].rows.length > 0) {
      return [name, { stated: { ...own, ...tiltsOf(loops[block], path, Number(doses?.[i] ?? NaN)) } }];
    }
    return [name, { stated: own, ...(files ? { tiltSeriesFile: files[i] } : {}) }];
  }));
}

/** Reads the tilts of one tomogram from its own file. @throws {InputError} When it holds no table of tilts. */
export function parseRelionTilts(text: string, path: string): StatedGeometry {
  const loop = parseStar(text, path).blocks.map(loopOf).find(({ columns }) =>
    columns.some((name) => /^rlnTomo(YTilt|Nominal|ProjZ)/.test(name))
  );
  if (!loop) {
    throw new InputError(
      path,
      "no table with rlnTomoYTilt, rlnTomoNominalStageTiltAngle or rlnTomoProjZ: is this a tilt series of RELION?",
    );
  }
  return tiltsOf(loop, path, NaN);
}

function tiltsOf(loop: StarLoop, path: string, dosePerTilt: number): StatedGeometry {
  const numbers = (name: string) => loop.columns.includes(name) ? [...numbersOf(loop, name, path)] : null;
  const stated: StatedGeometry = {};
  const matrices = columnOf(loop, "rlnTomoProjZ"), written = numbers("rlnTomoYTilt") ?? numbers("rlnTomoNominalStageTiltAngle");
  if (matrices) Object.assign(stated, tiltsOfMatrices(matrices, path));
  else if (written) Object.assign(stated, { tiltAnglesDegrees: written, tiltAxis: "y" });
  const angles = stated.tiltAnglesDegrees;
  if (angles) {
    const wrong = angles.find((angle) => !(Math.abs(angle) <= 90));
    if (wrong !== undefined) throw new InputError(path, `a tilt is ${wrong} degrees, expected -90 to 90`);
    stated.tiltAnglesDegrees = angles.toSorted((a, b) => a - b);
  }
  const [u, v] = [numbers("rlnDefocusU"), numbers("rlnDefocusV")];
  const defocus = u ? u.reduce((sum, value, i) => sum + (value + (v?.[i] ?? value)) / 2, 0) / u.length : 0;
  if (defocus > 0) stated.defocusAngstrom = defocus;
  const before = numbers("rlnMicrographPreExposure")?.sort((a, b) => b - a);
  if (before && before.length > 1 && before[0] > 0) {
    stated.doseElectronsPerSquareAngstrom = before[0] + (dosePerTilt > 0 ? dosePerTilt : before[0] - before[1]);
  }
  return stated;
}

/** Angles by the rows of projection matrices that look along the beam: `[a,b,c,d]`. */
function tiltsOfMatrices(texts: readonly string[], path: string): StatedGeometry {
  const rows = texts.map((text) => {
    const row = text.replace(/^\[|\]$/g, "").split(",").map(Number);
    if (row.length !== 4 || row.slice(0, 3).some((value) => !Number.isFinite(value)) || row[2] === 0 && row[0] === 0 && row[1] === 0) {
      throw new InputError(path, `rlnTomoProjZ is ${JSON.stringify(text)}, expected [a,b,c,d]`);
    }
    return row;
  });
  const extent = (axis: number) => rows.reduce((sum, row) => sum + Math.abs(row[axis]), 0);
  const about = extent(0) >= extent(1) ? "y" : "x";
  // A beam that looks against z is the same line. 0 + x: no "-0".
  const angles = rows.map(([a, b, c]) => 0 + Math.atan2(-(about === "y" ? a : b) * Math.sign(c || 1), Math.abs(c)) * 180 / Math.PI);
  return { tiltAnglesDegrees: angles, tiltAxis: about };
}
