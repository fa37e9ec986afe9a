/**
 * The part of the suite for sources and stages.
 * @module
 */
import type { Payload, Tomogram } from "../contract.ts";
import { payloadsOf } from "../plugin_shape.ts";
import { type Bench, collect, type Instance } from "./bench.ts";
import { digest } from "./digest.ts";
import { payloadFaults } from "./payload_faults.ts";
import { samplePicks, sampleSubtomograms, sampleTomograms } from "./sample.ts";

/** Share of the time limit in which a call must end after an abort. */
const AFTER_ABORT = 0.25;

function describeInput(input: unknown, index: number): string {
  const { score, rows } = input as { score?: Float32Array; rows?: Int32Array };
  const count = score !== undefined ? `, ${score.length} picks` : rows !== undefined ? `, ${rows.length / 2} boxes` : "";
  return `input ${index}${count}`;
}

async function apply(bench: Bench, instance: Instance, input: unknown): Promise<unknown[]> {
  return await bench.within("apply", collect(instance.apply(input, new AbortController().signal)));
}

/** One input's outcome: a digest of what came out, or of the error. */
async function outcome(bench: Bench, instance: Instance, input: unknown): Promise<string> {
  try {
    return await digest(await apply(bench, instance, input));
  } catch (error) {
    return `error ${error instanceof Error ? error.message : error}`;
  }
}

/** Checks `apply`: what comes out, that inputs are left alone, that seed and input alone decide, that an abort ends it. */
export async function checkStage(bench: Bench): Promise<void> {
  const { input, output } = payloadsOf(bench.plugin) as { input: Payload; output: Payload };
  const made = () => ({ tomogram: sampleTomograms, picks: samplePicks, subtomograms: () => sampleSubtomograms(bench.box) })[input]();
  const inputs: readonly unknown[] = bench.sample.inputs ?? made();
  const outcomes: string[] = [];
  await bench.withInstance(async (instance) => {
    for (const [index, value] of inputs.entries()) {
      const where = describeInput(value, index);
      await bench.attempt(where, async () => {
        const before = await digest(value);
        let results: unknown[] = [];
        try {
          results = await apply(bench, instance, value);
          outcomes.push(await digest(results));
        } catch (error) {
          outcomes.push(`error ${error instanceof Error ? error.message : error}`);
          // In a constant tomogram there is nothing to find, and a stage may say so.
          const nothing = bench.sample.inputs === undefined && index === inputs.length - 1 && input === "tomogram";
          if (!nothing || !(error instanceof Error) || error instanceof TypeError) throw error;
        }
        for (const result of results) bench.note(where, ...await payloadFaults(output, result, value));
        if (await digest(value) !== before) bench.note(where, "the input was changed; inputs are read-only");
      });
    }
  });
  await bench.attempt("in another order", async () => {
    await bench.withInstance(async (instance) => {
      for (let index = inputs.length - 1; index >= 0; index--) {
        if (await outcome(bench, instance, inputs[index]) === outcomes[index]) continue;
        bench.note(
          describeInput(inputs[index], index),
          "gives another result when inputs come in another order: key random numbers by what they are for",
        );
      }
    });
  });
  await bench.attempt("abort", async () => {
    const controller = new AbortController();
    await bench.withInstance(async (instance) => {
      // A stage may throw at once, reject, or end early: all that matters is that it ends.
      const tried = async () => await collect(instance.apply(inputs[0], controller.signal));
      const running = tried().then(() => {}, () => {});
      controller.abort(new DOMException("stopped by the suite", "AbortError"));
      await bench.within("apply after an abort", running, AFTER_ABORT);
      const late = tried().then(() => {}, () => {});
      await bench.within("apply with a signal that is aborted already", late, AFTER_ABORT);
    }, controller.signal);
  });
}

/** Checks `open` and `reopen`: ordinals in order, ids that differ, the same twice, an end after an abort. */
export async function checkSource(bench: Bench): Promise<void> {
  const { output } = payloadsOf(bench.plugin) as { output: Payload };
  const read = (instance: Instance, signal = new AbortController().signal) => collect<unknown>(instance.open(signal));
  const first: string[] = [];
  await bench.withInstance(async (instance) => {
    const items = await bench.within("open", read(instance));
    if (items.length === 0) bench.note("open", "gives nothing: sample options that name some input");
    let last = -1;
    const ids = new Set<string>();
    for (const [index, item] of items.entries()) {
      bench.note(`item ${index}`, ...await payloadFaults(output, item));
      const tomogram = output === "tomogram" ? item as Tomogram : (item as { tomogram: Tomogram }).tomogram;
      if (output === "tomogram" ? tomogram.ordinal <= last : tomogram.ordinal < last) {
        bench.note(`item ${index}`, `ordinal ${tomogram.ordinal} comes after ${last}`);
      }
      if (output === "tomogram" && ids.has(tomogram.id)) bench.note(`item ${index}`, `id "${tomogram.id}" is not its own`);
      last = tomogram.ordinal;
      ids.add(tomogram.id);
      first.push(await digest(item));
      if (output !== "tomogram" || instance.reopen === undefined) continue;
      const again = await instance.reopen(tomogram.ordinal);
      if (again === null || await digest(again) !== first[index]) bench.note(`reopen(${tomogram.ordinal})`, "gives another tomogram");
    }
  });
  await bench.attempt("open again", async () => {
    await bench.withInstance(async (instance) => {
      const again = await Promise.all((await bench.within("open", read(instance))).map(digest));
      if (again.join() !== first.join()) bench.note("open again", "gives something else than the first time");
    });
  });
  await bench.attempt("abort", async () => {
    const controller = new AbortController();
    await bench.withInstance(async (instance) => {
      const items = (async () => {
        for await (const _ of instance.open(controller.signal)) controller.abort(new DOMException("stopped by the suite", "AbortError"));
      })().catch(() => {});
      await bench.within("open after an abort", items, AFTER_ABORT);
    }, controller.signal);
  });
}
