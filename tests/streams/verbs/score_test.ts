import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import type { TomogramRecord } from "../../../streams/contract.ts";
import { InputError, ManifestError } from "../../../streams/errors.ts";
import { Ledger } from "../../../streams/ledger.ts";
import { scoreLabels, scoreVerb } from "../../../streams/verbs/score.ts";

const TRUTH = "tomogram,x,y,z,label\ntomo,10,10,10,r\ntomo,40,10,10,p\ntomo,70,10,10,p\n";

async function folderOf(files: Record<string, string>): Promise<string> {
  const folder = await Deno.makeTempDir();
  for (const [name, text] of Object.entries(files)) await Deno.writeTextFile(`${folder}/${name}`, text);
  return folder;
}

function writeRun(folder: string, labelled: boolean): void {
  const record: TomogramRecord = {
    id: "tomo",
    ordinal: 0,
    path: null,
    shapeZyx: [20, 20, 100],
    voxelSizeAngstrom: 10,
    boxVoxelSizeAngstrom: 10,
    voxelsEach: 1,
    geometry: { tiltRangeDegrees: "unknown", tiltAxis: "y", handedness: "unknown" },
    metadata: {},
    picks: 3,
    boxes: 3,
  };
  using ledger = new Ledger(`${folder}/run.sqlite`);
  const centres = [[12, 10, 10], [40, 10, 10], [70, 13, 10]] as const;
  ledger.finishTomogram(record, centres.map((centreXyz, pick) => ({ tomogram: 0, pick, centreXyz, score: 1, columns: {} })));
  if (labelled) ledger.setLabels(Int32Array.of(0, 0, 0, 1, 0, 2), Int32Array.of(4, 7, 7), null, new Uint8Array(3));
}

/** Runs `work` with console output kept. */
async function capture(work: () => Promise<number>): Promise<{ code: number; out: string; err: string }> {
  const { log, error } = console;
  let out = "", err = "";
  console.log = (text) => out += `${text}\n`;
  console.error = (text) => err += `${text}\n`;
  try {
    return { code: await work(), out, err };
  } finally {
    Object.assign(console, { log, error });
  }
}

Deno.test("`score` reads a run folder and takes the distance from its manifest", async () => {
  const manifest = { stages: [{ use: "dog", options: { particleDiameterAngstrom: 80 } }, { use: "boxes", options: { boxVoxels: 16 } }] };
  const folder = await folderOf({ "truth.csv": TRUTH, "manifest.json": JSON.stringify(manifest) });
  writeRun(folder, true);
  const { code, out, err } = await capture(() => scoreVerb({ labels: folder, truth: `${folder}/truth.csv`, json: true }));
  strictEqual(code, 0);
  deepStrictEqual(JSON.parse(out), { ari: 1, homogeneity: 1, completeness: 1, vMeasure: 1, accuracy: 1, recall: 1, precision: 1, k: 2 });
  ok(err.includes("within 4 voxels of a true centre") && err.includes("2 classes; 3 of 3 true particles matched"), err);
  // A distance on the command line overrules the manifest's: the third pick is 3 voxels off.
  const strict = await scoreLabels({ labels: folder, truth: `${folder}/truth.csv`, distanceVoxels: 2.5 });
  strictEqual(strict.score.matched, 2);
});

Deno.test("`score` reads particles as CSV and as STAR; their folder's run tells the distance", async () => {
  const folder = await folderOf({
    "truth.csv": TRUTH,
    "manifest.json": JSON.stringify({ stages: [{ use: "boxes", options: { boxVoxels: 16 } }] }),
    "particles.csv": "tomogram,pick,x,y,z,class\ntomo,0,12,10,10,4\ntomo,1,40,10,10,7\ntomo,2,70,13,10,7\n",
    "particles.star":
      "data_optics\n\nloop_\n_rlnOpticsGroup\n1\n\ndata_particles\n\nloop_\n_rlnMicrographName\n_rlnCoordinateX\n_rlnCoordinateY\n" +
      "_rlnCoordinateZ\n_rlnClassNumber\ntomo 12 10 10 4\ntomo 40 10 10 7\ntomo 70 13 10 7\n",
  });
  writeRun(folder, true);
  for (const name of ["particles.csv", "particles.star"]) {
    const { score, notes } = await scoreLabels({ labels: `${folder}/${name}`, truth: `${folder}/truth.csv` });
    deepStrictEqual([score.metrics.ari, score.matched, score.k], [1, 3, 2], name);
    ok(notes[0].includes("half the box of 16 voxels"), notes[0]);
  }
});

Deno.test("`score` takes one column of labels against a stack's truth", async () => {
  const folder = await folderOf({ "truth.csv": "label\nr\np\np\n", "labels.csv": "class\n1\n0\n0\n", "bare.csv": "one\ntwo\ntwo\n" });
  for (const name of ["labels.csv", "bare.csv"]) {
    const { score } = await scoreLabels({ labels: `${folder}/${name}`, truth: `${folder}/truth.csv` });
    deepStrictEqual([score.metrics.ari, score.metrics.recall, score.k], [1, null, 2], name);
  }
});

Deno.test("`score` says what is missing: labels, files, the distance", async () => {
  const folder = await folderOf({
    "truth.csv": TRUTH,
    "particles.csv": "tomogram,x,y,z,class\ntomo,12,10,10,4\n",
    "bad.csv": "tomogram,x,y,z,class\ntomo,12,ten,10,4\n",
    "plain.csv": "class\n4\n",
    "empty.star": "data_\n\nloop_\n_rlnCoordinateX\n1\n",
  });
  const truth = `${folder}/truth.csv`;
  const fails = (labels: string, kind: typeof InputError | typeof ManifestError, message: RegExp, distanceVoxels?: number) =>
    rejects(scoreLabels({ labels, truth, distanceVoxels }), (error: Error) => {
      ok(error instanceof kind, error.message);
      ok(message.test(error.message), error.message);
      return true;
    });
  await fails(`${folder}/nothing`, InputError, /no such file or folder: give a run folder/);
  await fails(folder, InputError, /no run\.sqlite in it/);
  await fails(`${folder}/particles.csv`, ManifestError, /diameter is not known here: give --distance/);
  await fails(`${folder}/particles.csv`, ManifestError, /--distance is -1: expected a number above 0/, -1);
  await fails(`${folder}/bad.csv`, InputError, /line 2: y is "ten"/, 3);
  await fails(`${folder}/plain.csv`, InputError, /no column "tomogram"/, 3);
  await fails(`${folder}/empty.star`, InputError, /no column _rlnClassNumber/, 3);
  writeRun(folder, false);
  await fails(folder, InputError, /has no labels yet: finish it with `run --resume`/, 3);
});
