/**
 * Particle lists of PyTom (.xml).
 *
 * Origin and unit: `PickPosition` X, Y, Z are voxels, 0 at the centre of the first voxel; `Origin` names the tomogram. Sign of shifts: position =
 * pick position + `Shift`, voxels. Angles: `Rotation` Z1, Z2, X are phi, psi, theta of `motl_angles.ts`. `Score` Value and `Class` Name are score
 * and class; `Filename` and a particle's other elements are left as columns (`Filename`) or said to be left out.
 * @module
 */
import { InputError } from "../../streams/errors.ts";
import { motlToZyz, zyzToMotl } from "./motl_angles.ts";
import { leftOutNote, type ParticleFormat, plainNumber, type WrittenParticles } from "./particle_format.ts";
import type { ParticleSet } from "./particle_set.ts";
import { escapeXml, parseXml, type XmlElement } from "./xml.ts";

function attribute(element: XmlElement | undefined, name: string, where: string, path: string): number {
  const text = element?.attributes[name];
  if (text === undefined) return 0;
  const value = text.trim() === "" ? NaN : Number(text);
  if (!Number.isFinite(value)) {
    throw new InputError(path, `${where}: ${element!.name} ${name} is ${JSON.stringify(text)}, expected a number`);
  }
  return value;
}

function find(element: XmlElement, name: string): XmlElement | undefined {
  return element.children.find((child) => child.name === name);
}

function read(bytes: Uint8Array, path: string): ParticleSet {
  const root = parseXml(new TextDecoder().decode(bytes), path);
  const list = root.name === "ParticleList" ? root : find(root, "ParticleList");
  if (!list) throw new InputError(path, `its root is <${root.name}>, expected <ParticleList>`);
  const particles = list.children.filter((child) => child.name === "Particle"), count = particles.length;
  const positionsXyz = new Float64Array(3 * count), shiftsXyz = new Float64Array(3 * count), eulerZyzDegrees = new Float64Array(3 * count);
  const score = new Float64Array(count), tomograms: string[] = [], labels: string[] = [], files: string[] = [];
  let scored = 0, classed = 0;
  particles.forEach((particle, i) => {
    const where = `particle ${i + 1}`,
      pick = find(particle, "PickPosition"),
      shift = find(particle, "Shift"),
      rotation = find(particle, "Rotation");
    if (!pick) throw new InputError(path, `${where} has no PickPosition: nothing says where it is in its tomogram`);
    ["X", "Y", "Z"].forEach((axis, k) => {
      shiftsXyz[3 * i + k] = attribute(shift, axis, where, path);
      positionsXyz[3 * i + k] = attribute(pick, axis, where, path) + shiftsXyz[3 * i + k];
    });
    eulerZyzDegrees.set(
      motlToZyz(...["Z1", "Z2", "X"].map((name) => attribute(rotation, name, where, path)) as [number, number, number]),
      3 * i,
    );
    const value = find(particle, "Score")?.attributes.Value;
    if (value !== undefined && Number.isFinite(Number(value))) {
      score[i] = Number(value);
      scored++;
    }
    const name = find(particle, "Class")?.attributes.Name;
    if (name !== undefined) classed++;
    labels.push(name ?? "0");
    tomograms.push(pick.attributes.Origin ?? "");
    files.push(particle.attributes.Filename ?? "");
  });
  return {
    path,
    format: "pytom",
    count,
    positionsXyz,
    unit: "voxel",
    origin: "first-voxel",
    shiftsXyz,
    voxelSizeAngstrom: new Float64Array(count).fill(NaN),
    tomograms,
    eulerZyzDegrees,
    ...(scored === count && count > 0 ? { score } : {}),
    ...(classed > 0 ? { labels } : {}),
    columns: files.some((file) => file !== "") ? { Filename: files } : {},
    assumed: ["pick positions count voxels from 0"],
  };
}

function write(set: ParticleSet): WrittenParticles {
  const e = set.eulerZyzDegrees, shifts = set.shiftsXyz ?? new Float64Array(3 * set.count);
  const element = (name: string, attributes: Record<string, string>) =>
    `    <${name} ${Object.entries(attributes).map(([key, value]) => `${key}="${escapeXml(value)}"`).join(" ")}/>`;
  const xyz = (values: readonly number[]) => ({ X: plainNumber(values[0]), Y: plainNumber(values[1]), Z: plainNumber(values[2]) });
  const parts = ["<ParticleList>"];
  for (let i = 0; i < set.count; i++) {
    const [z1, z2, x] = e ? zyzToMotl(e[3 * i], e[3 * i + 1], e[3 * i + 2]) : [0, 0, 0];
    const shift = [0, 1, 2].map((axis) => shifts[3 * i + axis]);
    parts.push(
      `  <Particle Filename="${escapeXml(set.columns.Filename?.[i] ?? `particle_${String(i).padStart(6, "0")}.mrc`)}">`,
      element("Rotation", { Z1: plainNumber(z1), Z2: plainNumber(z2), X: plainNumber(x), Paradigm: "ZXZ" }),
      element("Shift", xyz(shift)),
      element("PickPosition", { Origin: set.tomograms[i], ...xyz(shift.map((value, axis) => set.positionsXyz[3 * i + axis] - value)) }),
    );
    if (set.score && Number.isFinite(set.score[i])) parts.push(element("Score", { Type: "FLCFScore", Value: plainNumber(set.score[i]) }));
    parts.push(element("Class", { Name: set.labels?.[i] ?? "0" }), "  </Particle>");
  }
  return {
    content: [...parts, "</ParticleList>", ""].join("\n"),
    notes: leftOutNote(Object.keys(set.columns).filter((name) => name !== "Filename")),
  };
}

/** PyTom's particle lists. */
export const pytomList: ParticleFormat = {
  id: "pytom",
  title: "PyTom particle list",
  extensions: [".xml"],
  frame: { unit: "voxel", origin: "first-voxel" },
  manyTomograms: true,
  detect: ({ text }) => /<ParticleList\b/.test(text),
  read,
  write,
};
