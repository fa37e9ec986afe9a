/**
 * The engine `auto`: the fastest one that works here.
 * @module
 */
import { z } from "zod";
import { definePlugin, type EngineFinding, type PluginContext } from "../../streams/contract.ts";
import { RunError } from "../../streams/errors.ts";
import { type Candidate, candidates, titleOf } from "./candidates.ts";
import type { Engine } from "./network.ts";
import { selfTest } from "./self_test.ts";
import { timeStep } from "./time_step.ts";
import { openMemory, type VerdictMemory } from "./verdict.ts";

const options = z.strictObject({
  threads: z.int().min(1).max(256).optional().meta({
    description: "Threads for the engine's own work; as many as the machine has processors when absent",
  }),
});

/** Options with defaults filled in. */
export type AutoOptions = z.infer<typeof options>;

/**
 * Opens the first candidate that starts and passes the self-test, and notes which and why not those before it. A contested one must
 * also be faster than the first that is not. With a `memory`, a verdict that was found on this machine
 * before is taken without another test, as long as the engine still starts.
 *
 * @throws {RunError} When none does; the message has every reason.
 */
export async function openFirst(
  list: readonly Candidate[],
  { threads }: AutoOptions,
  context: PluginContext,
  memory: VerdictMemory | null = null,
  time: (engine: Engine) => Promise<number> = timeStep,
): Promise<Engine> {
  const say = (title: string, { device, precision }: Engine, how: string, refused: readonly string[]) =>
    context.note("engine", `engine ${title} on the ${device}, ${precision}: ${[how, ...refused.map((why) => `not ${why}`)].join("; ")}`);

  const known = await memory?.recall();
  const remembered = list.find((candidate) => titleOf(candidate) === known?.taken);
  if (known && remembered) {
    try {
      const engine = await remembered.open(threads, context);
      say(known.taken, engine, "it passed its self-test on this machine before", known.refused);
      return engine;
    } catch {
      // It started once and does not now: all are tried again, and this one says why.
      context.signal.throwIfAborted();
    }
  }
  const refused: string[] = [];
  let ahead: Passed | null = null;
  try {
    for (const candidate of list) {
      const passed = await tryOne(candidate, threads, context, refused);
      if (!passed) continue;
      if (candidate.contested || ahead) passed.ms = await time(passed.engine);
      const [better, worse]: (Passed | null)[] = ahead && ahead.ms! <= passed.ms! ? [ahead, passed] : [passed, ahead];
      ahead = better;
      if (worse) {
        refused.push(`${worse.title}: slower, ${worse.ms!.toFixed(1)} ms a subtomogram against ${better!.ms!.toFixed(1)}`);
        await worse.engine[Symbol.asyncDispose]();
      }
      if (!candidate.contested) break;
    }
    if (!ahead) throw new RunError(`no engine works on this machine: ${refused.join("; ")}`);
    say(ahead.title, ahead.engine, "self-test passed", refused);
    await memory?.keep({ taken: ahead.title, refused });
    return ahead.engine;
  } catch (error) {
    await ahead?.engine[Symbol.asyncDispose]();
    throw error;
  }
}

/** A candidate that passed. */
interface Passed {
  readonly title: string;
  readonly engine: Engine;
  /** Milliseconds a subtomogram, once measured. */
  ms: number | null;
}

/** Opens a candidate and tests it; when it does not pass it is closed, the reason is added to `refused`, and null comes back. */
async function tryOne(
  candidate: Candidate,
  threads: number | undefined,
  context: PluginContext,
  refused: string[],
): Promise<Passed | null> {
  const title = titleOf(candidate);
  let engine: Engine | null = null;
  try {
    engine = await candidate.open(threads, context);
    const fault = await selfTest(engine);
    if (fault === null) return { title, engine, ms: null };
    refused.push(`${title}: ${fault}`);
  } catch (error) {
    context.signal.throwIfAborted();
    refused.push(`${title}: ${wordsOf(error)}`);
  }
  await engine?.[Symbol.asyncDispose]();
  return null;
}

/** Tries every candidate, whichever comes first, and times those that pass. `time` gives milliseconds a subtomogram. */
export async function* survey(
  list: readonly Candidate[],
  { threads }: AutoOptions,
  context: PluginContext,
  time: (engine: Engine) => Promise<number> = timeStep,
): AsyncGenerator<EngineFinding> {
  for (const candidate of list) {
    const { engine: name, options } = candidate;
    let engine: Engine | null = null;
    try {
      engine = await candidate.open(threads, context);
      const { device, precision } = engine;
      const fault = await selfTest(engine);
      const msPerSubtomogram = fault === null ? await time(engine) : null;
      yield { engine: name, options, available: fault === null, reason: fault ?? "self-test passed", device, precision, msPerSubtomogram };
    } catch (error) {
      context.signal.throwIfAborted();
      const nothing = { device: null, precision: null, msPerSubtomogram: null };
      yield { engine: name, options, available: false, reason: wordsOf(error), ...nothing };
    } finally {
      await engine?.[Symbol.asyncDispose]();
    }
  }
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The plugin. */
export default definePlugin({
  apiVersion: 1,
  name: "auto",
  kind: "engine",
  summary: "the fastest engine that starts and passes a numerical self-test on this machine",
  options,
  create: async (chosen, context) => await openFirst(candidates, chosen, context, await openMemory(candidates)),
  survey: (chosen, context) => survey(candidates, chosen, context),
});
