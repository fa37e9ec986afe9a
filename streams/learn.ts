/**
 * Drives any learner: a checkpoint after each iteration, the best one kept, resumed where it was cut off.
 * @module
 */
import { createRandom } from "../plugins/kernels/random.ts";
import type { BoxStore, Iteration, Learner, State } from "./contract.ts";
import { exists, loadBundle, removeIfThere, saveBundle } from "./bundle.ts";
import { InputError, RunError } from "./errors.ts";
import type { Ledger } from "./ledger.ts";
import { classFlows, classSizes, loadLabeling, saveLabeling } from "./lineage.ts";

/** Checkpoints that are kept beside the best. */
const LATEST_KEPT = 2;
/** Fewer boxes than this are all needed for learning. */
const SMALLEST_WITH_HELD_OUT = 200;

/** What the loop ended with. */
export interface Learnt {
  /** State of the kept iteration. */
  readonly state: State;
  readonly keptIteration: number;
  readonly iterations: number;
  readonly converged: boolean;
  readonly criteria: readonly Readonly<Record<string, number>>[];
  readonly figures: Readonly<Record<string, number | null>>;
}

/** Everything a checkpoint says beside its state. */
interface CheckpointFacts {
  readonly iteration: number;
  readonly best: number;
  readonly finished: Iteration["finished"] | null;
  readonly criteria: readonly Readonly<Record<string, number>>[];
  readonly figures: Readonly<Record<string, number | null>>;
}

/**
 * Which boxes nothing is fitted to: each box's own draw, keyed by its row, so that it does not depend on the other boxes.
 *
 * @returns `[count]`, 1 = held out; all 0 when there are fewer than 200 boxes.
 */
export function heldOutBoxes(rows: Int32Array, fraction: number, seed: number): Uint8Array {
  const count = rows.length / 2;
  const heldOut = new Uint8Array(count);
  if (count < SMALLEST_WITH_HELD_OUT) return heldOut;
  for (let i = 0; i < count; i++) heldOut[i] = createRandom(seed, "held out", rows[2 * i], rows[2 * i + 1]).uniform() < fraction ? 1 : 0;
  return heldOut;
}

/** Folders of a run that learning writes into. */
export interface LearnFolders {
  readonly checkpoints: string;
  /** The labels of every iteration: what the learner started from is never lost. */
  readonly labelings: string;
}

/** Runs `learner` to its end, from the newest whole checkpoint when there is one. */
export async function driveLearner(
  learner: Learner,
  boxes: BoxStore,
  heldOut: Uint8Array,
  { checkpoints: folder, labelings }: LearnFolders,
  ledger: Ledger,
  signal: AbortSignal,
  onIteration: (iteration: Iteration) => void,
): Promise<Learnt> {
  let last = newestCheckpoint(folder);
  let best = last?.facts.best ?? -1;
  if (last) await learner.load(last.state);
  if (!last?.facts.finished) {
    for await (const iteration of learner.learn({ boxes, heldOut, signal })) {
      signal.throwIfAborted();
      if (iteration.best || best < 0) best = iteration.index;
      const facts: CheckpointFacts = {
        iteration: iteration.index,
        best,
        finished: iteration.finished ?? null,
        criteria: iteration.clustering.criteria,
        figures: iteration.figures,
      };
      const { labels, classIds } = iteration.clustering, named = labels.map((slot) => classIds[slot]);
      saveLabeling(labelings, iteration.index, named);
      const previous = loadLabeling(labelings, iteration.index - 1);
      saveBundle(checkpointPath(folder, iteration.index), { ...facts }, await learner.save());
      ledger.setIteration(iteration.index, {
        iteration: iteration.index,
        ...iteration.figures,
        best: iteration.best ? 1 : 0,
        k: iteration.clustering.k,
        classSizes: classSizes(named),
        ...(previous?.length === named.length ? { classFlows: classFlows(previous, named) } : {}),
      });
      prune(folder, best);
      onIteration(iteration);
      if (iteration.finished) break;
    }
    last = newestCheckpoint(folder);
  }
  if (!last) throw new Error("the learner ended without an iteration");
  const kept = loadCheckpoint(checkpointPath(folder, best), `remove ${folder}: --resume then learns anew`);
  const keptFacts = kept.facts as unknown as CheckpointFacts;
  return {
    state: kept.state,
    keptIteration: best,
    iterations: last.facts.iteration + 1,
    converged: last.facts.finished === "converged",
    criteria: keptFacts.criteria,
    figures: keptFacts.figures,
  };
}

function checkpointPath(folder: string, iteration: number): string {
  return `${folder}/${String(iteration).padStart(4, "0")}`;
}

function checkpointNumbers(folder: string): number[] {
  if (!exists(folder)) return [];
  return [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => /^\d{4,}$/.test(name)).map(Number).sort((a, b) => b - a);
}

function newestCheckpoint(folder: string): { facts: CheckpointFacts; state: State } | null {
  const [newest] = checkpointNumbers(folder);
  if (newest === undefined) return null;
  const path = checkpointPath(folder, newest);
  const { facts, state } = loadCheckpoint(path, `remove ${path}: --resume then goes on from the checkpoint before it`);
  return { facts: facts as unknown as CheckpointFacts, state };
}

/** A damaged checkpoint is no end of the run: `remedy` says how to go on without it. */
function loadCheckpoint(path: string, remedy: string): ReturnType<typeof loadBundle> {
  try {
    return loadBundle(path);
  } catch (error) {
    throw error instanceof InputError ? new RunError(`${error.message}, or ${remedy}`, { cause: error }) : error;
  }
}

/** Leaves the best and the latest; folders that a kill left half-written go too. */
function prune(folder: string, best: number): void {
  const keep = new Set([best, ...checkpointNumbers(folder).slice(0, LATEST_KEPT)].map((iteration) => checkpointPath(folder, iteration)));
  for (const { name } of [...Deno.readDirSync(folder)]) if (!keep.has(`${folder}/${name}`)) removeIfThere(`${folder}/${name}`);
}
