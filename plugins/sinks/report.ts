/**
 * Writes what a run found as one HTML file that a biologist can read anywhere, and its pictures as PNG files.
 * @module
 */
import { join } from "node:path";
import { z } from "zod";
import { definePlugin, type PluginContext, type RunView } from "../../streams/contract.ts";
import { writeFileAtomic } from "../formats/atomic.ts";
import { classSection } from "./report/class_section.ts";
import { gatherFacts, type ReportFacts } from "./report/facts.ts";
import { mapFeatures, mapSection } from "./report/map_section.ts";
import { composePage } from "./report/page.ts";
import { classSheet, safeFileName, tomogramPicture } from "./report/pictures.ts";
import { readSections, type TomogramSections } from "./report/sections.ts";
import { tomogramSection } from "./report/tomogram_section.ts";

const options = z.strictObject({
  tomograms: z.int().min(0).max(100).default(12).meta({
    description: "Tomograms shown: the first in detail, the others by their middle section",
  }),
  membersPerClass: z.int().min(0).max(32).default(8).meta({ description: "Typical members shown of each class" }),
  mapParticles: z.int().min(3).max(20000).default(4000).meta({
    description: "Particles on the maps of feature space, drawn at random when there are more",
  }),
  pictures: z.boolean().default(true).meta({ description: "Also write classes.png and tomogram_NAME.png" }),
});

/** Pixels of the longer side of a section: of the first tomogram's, of its upper and lower level, of the others'. */
const LARGE = 640, SMALL = 340;

async function readTomograms(facts: ReportFacts, count: number, context: PluginContext): Promise<TomogramSections[]> {
  const pictures: TomogramSections[] = [];
  if (!facts.inTomograms) return pictures;
  for (const record of facts.view.tomograms.slice(0, count)) {
    context.signal.throwIfAborted();
    const first = pictures.length === 0;
    const sections = await readSections(facts, record, first ? [0.25, 0.5, 0.75] : [0.5], first, first ? LARGE : SMALL);
    if (sections.problem !== null) context.warn("tomogram-not-shown", `${record.id} is not shown in the report: ${sections.problem}`);
    pictures.push(sections);
    context.progress(pictures.length, Math.min(count, facts.view.tomograms.length));
  }
  return pictures;
}

/** File names of the tomograms' pictures, different also where the tomograms' names differ in other characters only. */
function pictureNames(view: RunView): Map<number, string> {
  const used = new Set<string>();
  return new Map(view.tomograms.map(({ id, ordinal }) => {
    const name = safeFileName(id);
    const free = used.has(name.toLowerCase()) ? `${name}_${ordinal}` : name;
    used.add(free.toLowerCase());
    return [ordinal, `tomogram_${free}.png`];
  }));
}

/** The sink `report`. Deterministic: a run whose `timings` are empty gives the same bytes each time. */
export default definePlugin({
  apiVersion: 1,
  name: "report",
  kind: "sink",
  summary: "One self-contained HTML page of what was found, with pictures as PNG",
  options,
  create: (chosen, context) => ({
    async write(view: RunView, directory: string): Promise<void> {
      const facts = gatherFacts(view);
      const tomograms = await readTomograms(facts, chosen.tomograms, context);
      const page = composePage(facts, {
        tomograms: tomogramSection(facts, tomograms),
        classes: await classSection(facts, chosen.membersPerClass),
        map: mapSection(facts, mapFeatures(facts, chosen.mapParticles, context.random("map"))),
      });
      await writeFileAtomic(join(directory, "report.html"), page);
      if (!chosen.pictures) return;
      if (facts.classes.length > 0) await writeFileAtomic(join(directory, "classes.png"), await classSheet(facts, chosen.membersPerClass));
      const names = pictureNames(view);
      for (const { record, sections } of tomograms) {
        const along = sections.filter(({ axis }) => axis === "z");
        if (along.length === 0) continue;
        await writeFileAtomic(join(directory, names.get(record.ordinal)!), tomogramPicture(facts, record, along[along.length >> 1]));
      }
    },
  }),
});
