/**
 * Warp's `.xml` of a tilt series: angles, dose, defocus.
 *
 * Rules: `Angles`, `Dose` and `UseTilt` hold a line a tilt; tilts that are not used count for nothing. `Dose` is what the specimen had got by the end of
 * a tilt, so the largest is the whole. `GridCTF` (else the `Defocus` of `CTF`) is underfocus in micrometres. The tilt axis of Warp's reconstructions is
 * y. `AreAnglesInverted` says which way defocus changes with height (RELION's `rlnTomoHand` is then -1), not how the specimen was tilted. Angles are taken as
 * they are written.
 * @see https://warpem.github.io/warp/
 * @module
 */
import { InputError } from "../../streams/errors.ts";
import type { StatedGeometry } from "./geometry_csv.ts";
import { parseXml, type XmlElement } from "./xml.ts";

function numbers(element: XmlElement | undefined, path: string): number[] | null {
  if (!element || element.text === "") return null;
  return element.text.split(/\s+/).map((word) => {
    const value = Number(word);
    if (!Number.isFinite(value)) throw new InputError(path, `<${element.name}> holds ${JSON.stringify(word)}, expected numbers`);
    return value;
  });
}

/**
 * Reads it.
 * @returns `null` when the file is XML of another kind.
 * @throws {InputError} When it is a tilt series without angles, or an angle cannot be.
 */
export function parseWarpTiltSeries(text: string, path: string): StatedGeometry | null {
  const root = parseXml(text, path);
  if (root.name !== "TiltSeries") return null;
  const child = (name: string) => root.children.find((element) => element.name === name);
  const all = numbers(child("Angles"), path);
  if (!all) throw new InputError(path, "<TiltSeries> has no <Angles>: is the tilt series imported?");
  const used = child("UseTilt")?.text.split(/\s+/).map((word) => /^true$/i.test(word)) ?? [];
  const keep = (_: unknown, i: number) => used[i] ?? true;
  const angles = all.filter(keep);
  const wrong = angles.find((angle) => !(Math.abs(angle) <= 90));
  if (wrong !== undefined || angles.length === 0) {
    throw new InputError(path, wrong === undefined ? "<UseTilt> uses no tilt" : `<Angles> holds ${wrong}, expected -90 to 90 degrees`);
  }
  const stated: StatedGeometry = { tiltAnglesDegrees: angles.toSorted((a, b) => a - b), tiltAxis: "y" };
  const dose = numbers(child("Dose"), path)?.filter(keep);
  if (dose && Math.max(...dose) > 0) stated.doseElectronsPerSquareAngstrom = Math.max(...dose);
  const defocus = defocusMicrometres(child("GridCTF"), child("CTF"), keep);
  if (defocus > 0) stated.defocusAngstrom = 1e4 * defocus;
  const inverted = root.attributes.AreAnglesInverted;
  if (inverted !== undefined) stated.defocusHandedness = /^true$/i.test(inverted) ? -1 : 1;
  return stated;
}

/** Mean over the nodes of the used tilts (Z counts tilts), else the one value; NaN when there is none. */
function defocusMicrometres(
  grid: XmlElement | undefined,
  ctf: XmlElement | undefined,
  keep: (_: unknown, tilt: number) => boolean,
): number {
  const nodes = grid?.children.filter(({ name, attributes }) => name === "Node" && keep(null, Number(attributes.Z))) ?? [];
  const values = nodes.map(({ attributes }) => Number(attributes.Value)).filter((value) => value > 0);
  if (values.length > 0) return values.reduce((sum, value) => sum + value, 0) / values.length;
  return Number(ctf?.children.find(({ attributes }) => attributes.Name === "Defocus")?.attributes.Value ?? NaN);
}
