/**
 * `one-pass`: features, then classes, once. The embedder learns without labels, if it learns at all.
 * @module
 */
import { z } from "zod";
import {
  type Clusterer,
  type Clustering,
  definePlugin,
  type Embedder,
  type Features,
  type Iteration,
  type Learner,
  type LearnInput,
  type PluginContext,
  type State,
} from "../../streams/contract.ts";
import { RunError } from "../../streams/errors.ts";
import { nestStates, partState } from "../kernels/state.ts";
import { embedAll } from "./disca/survey.ts";
import { noteIdle, teach } from "./disca/teach.ts";

const options = z.strictObject({
  epochs: z.int().min(0).max(1000).default(0).meta({
    description: "Passes over originals and rotated copies that an embedder learns in without labels (`autoencoder`); 0 for none",
  }),
  learningRate: z.number().positive().max(1).default(1e-3).meta({ description: "Learning rate of these passes" }),
  batchSize: z.int().min(2).max(4096).default(32).meta({ description: "Boxes in one training step", unit: "boxes" }),
});

type Options = z.infer<typeof options>;

class OnePass implements Learner {
  #classIds: Int32Array | null = null;

  constructor(
    readonly options: Options,
    readonly context: PluginContext,
    readonly parts: { readonly embed: Embedder; readonly cluster: Clusterer },
  ) {}

  async *learn({ boxes, heldOut, signal }: LearnInput): AsyncGenerator<Iteration> {
    const { parts: { embed, cluster }, context } = this;
    const { epochs, learningRate, batchSize } = this.options;
    const all = Int32Array.from({ length: boxes.count }, (_, i) => i), fitted = all.filter((i) => heldOut[i] === 0);
    let loss: number | null = null;
    if (epochs > 0) {
      if (!embed.trainable) throw new RunError(`${context.stage}: epochs is ${epochs}, but the embedder cannot learn: set it to 0`);
      const targets = new Float32Array(boxes.count).fill(1);
      const lesson = { boxes, indices: fitted, targets, k: 1, iteration: 0, epochs, batchSize, learningRate };
      const taught = await teach(embed, lesson, context, signal);
      loss = taught.loss;
      noteIdle([taught], context);
    }
    const features = await embedAll(embed, boxes, all, context, signal), { dims } = features;
    const table: Features = { rows: new Int32Array(2 * fitted.length), dims, values: new Float32Array(fitted.length * dims) };
    fitted.forEach((i, row) => {
      table.rows.set(features.rows.subarray(2 * i, 2 * i + 2), 2 * row);
      table.values.set(features.values.subarray(i * dims, (i + 1) * dims), row * dims);
    });
    const found = await cluster.fit(table, null, 0);
    const { labels } = await cluster.predict(features);
    const classIds = this.#classIds = Int32Array.from({ length: found.k }, (_, i) => i + 1);
    const clustering: Clustering = { ...found, labels, classIds };
    if (found.k === 1) context.note("no-structure", "one class: no structure found in these boxes");
    yield { index: 0, clustering, features, figures: { k: found.k, bic: found.bic ?? null, loss }, best: true, finished: "converged" };
  }

  async predict(voxels: Float32Array, rows: Int32Array) {
    const { embed, cluster } = this.parts, classIds = this.#known();
    const features: Features = { rows: rows.slice(), dims: embed.dims, values: await embed.embed(voxels, rows.length / 2) };
    const { labels, logLikelihood } = await cluster.predict(features);
    return { features, classIds: labels.map((slot) => classIds[slot]), ...(logLikelihood ? { logLikelihood } : {}) };
  }

  async save(): Promise<State> {
    const own: State = { version: 1, values: {}, arrays: { classIds: this.#known() } };
    return nestStates(own, { embed: await this.parts.embed.save(), cluster: await this.parts.cluster.save() });
  }

  async load(state: State): Promise<void> {
    const embed = partState(state, "embed"), cluster = partState(state, "cluster"), { classIds } = state.arrays;
    if (!embed || !cluster || !(classIds instanceof Int32Array)) {
      throw new RunError(`${this.context.stage}: the saved state is not one of one-pass: use the manifest it was made with`);
    }
    await this.parts.embed.load(embed);
    await this.parts.cluster.load(cluster);
    this.#classIds = classIds.slice();
  }

  #known(): Int32Array {
    if (!this.#classIds) throw new RunError(`${this.context.stage}: there is no model yet: learn or load one first`);
    return this.#classIds;
  }
}

/** The plugin: what DISCA's loop is measured against, and the quickest look at new data. */
export default definePlugin({
  apiVersion: 1,
  name: "one-pass",
  kind: "learner",
  summary: "features, then classes, once: no labels are learnt from",
  options,
  parts: {
    embed: { kinds: ["embedder"], default: "invariants", summary: "boxes to features" },
    cluster: { kinds: ["clusterer"], default: "gmm-bic", summary: "features to classes" },
  },
  create: (chosen, context, parts) => new OnePass(chosen, context, parts as unknown as OnePass["parts"]),
});
