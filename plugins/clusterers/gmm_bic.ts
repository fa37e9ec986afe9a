/**
 * `gmm-bic`: principal components, then a full-covariance Gaussian mixture whose number of classes a criterion chooses.
 *
 * Differs from the paper unless told otherwise: fewer components on few boxes, cross-validation where the Bayesian criterion merges classes
 * for want of boxes, k-means starts on whitened coordinates, covariances drawn to a shared one (docs/decisions.md).
 * @see Zeng et al. 2023, PNAS 120(15) e2213149120, Eq. 4 and SI.
 * @module
 */
import { type Clusterer, type Clustering, definePlugin, type Features, type PluginContext, type State } from "../../streams/contract.ts";
import { RunError, ShapeError } from "../../streams/errors.ts";
import { bayesianInformation, mixtureParameters } from "../kernels/criteria.ts";
import type { FoundMixture } from "../kernels/mixture_search.ts";
import { checkPca, columnMeans, type Pca, pcaFromStrips, planProducts, projectPca } from "../kernels/pca.ts";
import { labelRows, searchStarts, type SharedTable, shareTable } from "./gmm_bic/candidate.ts";
import { chooseComponents, type GmmBicOptions, gmmBicOptions } from "./gmm_bic/options.ts";
import { selectMixture } from "./gmm_bic/select.ts";

const PCA = new URL("../kernels/pca.ts", import.meta.url).href;
/** Rows that the principal components are taken from, at most: evenly spaced. */
const PCA_ROWS = 50_000;
/** Units of work of one covariance matrix. */
const STRIPS = 8;
/** Pseudo-boxes a component of `pooling: "auto"`. */
const POOLING_A_COMPONENT = 4;

/** What `predict` needs. */
interface Model {
  readonly pca: Pca;
  readonly mixture: FoundMixture;
}

class GmmBic implements Clusterer {
  #model: Model | null = null;

  constructor(readonly options: GmmBicOptions, readonly context: PluginContext) {}

  async fit(table: Features, previous: Clustering | null, key: number): Promise<Clustering> {
    const { context, options } = this;
    const rows = table.dims > 0 ? table.values.length / table.dims : 0;
    if (rows < 2) throw new RunError(`${context.stage}: ${rows} boxes cannot be clustered: at least 2 are needed`);
    if (previous && previous.labels.length !== rows) {
      throw new ShapeError(`${context.stage}: ${previous.labels.length} labels of the iteration before for ${rows} boxes`);
    }
    const { components, why } = chooseComponents(options, rows, table.dims);
    context.note("components", why);
    const pca = await this.#fitPca(table, components);
    const shared = shareTable(projectPca(pca, table.values), components, context, key);
    const settings = {
      dims: components,
      // Features without any variance still need a covariance that can be inverted.
      regularisation: options.regularisation * (options.regularisationUnit === "absolute" ? 1 : pca.variances[0]) || Number.EPSILON,
      pooling: 0,
      finalPooling: options.pooling === "auto" ? POOLING_A_COMPONENT * components : options.pooling,
      maxIterations: options.maxIterations,
      tolerance: options.tolerance,
    };
    if (previous && options.previous === "hold") {
      const pooled = { ...settings, pooling: settings.finalPooling };
      const found = await searchStarts(shared, previous.k, 0, [previous.labels], pooled, context, 0);
      return this.#keep(pca, found, shared, []);
    }
    const selection = await selectMixture(shared, previous, options, settings, context, key);
    const measured = selection.criterion === "cross-validation" ? "the likelihood of boxes left out" : selection.criterion;
    context.note("class-count", `${selection.found.k} classes: ${measured} is best of ${selection.criteria.map(({ k }) => k).join(", ")}`);
    return this.#keep(pca, selection.found, shared, selection.criteria, selection.bic);
  }

  // deno-lint-ignore require-await
  async predict(features: Features) {
    const { pca, mixture } = this.#now();
    if (features.dims !== pca.dims) {
      throw new ShapeError(`${this.context.stage}: features of ${features.dims} dimensions, the model was fitted to ${pca.dims}`);
    }
    return labelRows(projectPca(pca, features.values), mixture);
  }

  // deno-lint-ignore require-await
  async save(): Promise<State> {
    const { pca, mixture } = this.#now();
    return {
      version: 1,
      values: {
        dims: pca.dims,
        components: pca.components,
        totalVariance: pca.totalVariance,
        k: mixture.k,
        logLikelihood: mixture.logLikelihood,
      },
      arrays: {
        mean: pca.mean,
        axes: pca.axes,
        variances: pca.variances,
        weights: mixture.weights,
        means: mixture.means,
        covariances: mixture.covariances,
      },
    };
  }

  // deno-lint-ignore require-await
  async load({ version, values, arrays }: State): Promise<void> {
    const number = (name: string) => {
      if (typeof values[name] !== "number") {
        throw new ShapeError(`${this.context.stage}: the saved state lacks "${name}": it is not of gmm-bic`);
      }
      return values[name];
    };
    if (version !== 1) throw new ShapeError(`${this.context.stage}: a saved state of version ${version}: this program reads version 1`);
    const dims = number("dims"), components = number("components"), k = number("k");
    const floats = (name: string, length: number) => {
      const array = arrays[name];
      if (!(array instanceof Float64Array) || array.length !== length) {
        throw new ShapeError(`${this.context.stage}: the saved "${name}" is not ${length} float64 numbers: the state is damaged`);
      }
      return array.slice();
    };
    this.#model = {
      pca: {
        dims,
        components,
        totalVariance: number("totalVariance"),
        mean: floats("mean", dims),
        axes: floats("axes", components * dims),
        variances: floats("variances", components),
      },
      mixture: {
        k,
        dims: components,
        weights: floats("weights", k),
        means: floats("means", k * components),
        covariances: floats("covariances", k * components * components),
        logLikelihood: number("logLikelihood"),
        objective: number("logLikelihood"),
        degenerate: false,
      },
    };
  }

  #now(): Model {
    if (!this.#model) throw new RunError(`${this.context.stage}: nothing was fitted yet: fit or load first`);
    return this.#model;
  }

  async #fitPca({ values, dims }: Features, components: number): Promise<Pca> {
    const { pool, signal } = this.context;
    const rows = values.length / dims, kept = Math.min(rows, PCA_ROWS);
    const shared = new Float32Array(new SharedArrayBuffer(kept * dims * 4));
    for (let i = 0; i < kept; i++) {
      const row = Math.floor(i * rows / kept);
      shared.set(values.subarray(row * dims, (row + 1) * dims), i * dims);
    }
    checkPca(shared, dims, components);
    const mean = columnMeans(shared, dims);
    const strips = await Promise.all(
      planProducts(kept, dims, STRIPS).map((strip) => pool.run<Float64Array>(PCA, "productStrip", [shared, dims, mean, strip], { signal })),
    );
    return pcaFromStrips(shared, dims, components, mean, strips);
  }

  /** Takes a fit as the model; classes that no box belongs to are dropped. */
  #keep(pca: Pca, fitted: FoundMixture, { values, rows }: SharedTable, criteria: Clustering["criteria"], bic?: number): Clustering {
    let mixture = fitted;
    for (;;) {
      const { labels, logLikelihood } = labelRows(values, mixture);
      const occupied = new Set(labels);
      if (occupied.size === mixture.k) {
        this.#model = { pca, mixture };
        const total = logLikelihood.reduce((sum, value) => sum + value, 0);
        return {
          k: mixture.k,
          labels,
          classIds: Int32Array.from({ length: mixture.k }, (_, c) => c),
          criteria,
          bic: bic ?? bayesianInformation(total, mixtureParameters(mixture.k, mixture.dims, "full"), rows),
        };
      }
      mixture = withoutClasses(mixture, occupied);
    }
  }
}

/** The mixture of the classes in `kept`, in their order, weights scaled to sum 1. */
function withoutClasses(mixture: FoundMixture, kept: ReadonlySet<number>): FoundMixture {
  const { dims } = mixture, order = [...kept].sort((a, b) => a - b);
  const take = (values: Float64Array, width: number) =>
    Float64Array.from(order.flatMap((c) => [...values.subarray(c * width, (c + 1) * width)]));
  const weights = take(mixture.weights, 1), sum = weights.reduce((a, b) => a + b, 0);
  return {
    ...mixture,
    k: order.length,
    weights: weights.map((weight) => weight / sum),
    means: take(mixture.means, dims),
    covariances: take(mixture.covariances, dims * dims),
  };
}

/** The plugin. */
export default definePlugin({
  apiVersion: 1,
  name: "gmm-bic",
  kind: "clusterer",
  summary: "principal components and a full-covariance Gaussian mixture; the number of classes by BIC or cross-validation",
  options: gmmBicOptions,
  check: ({ minimumClasses, maximumClasses }) =>
    minimumClasses <= maximumClasses
      ? []
      : [`minimumClasses is ${minimumClasses}, maximumClasses ${maximumClasses}: the first must not be the larger`],
  create: (options, context) => new GmmBic(options, context),
});
