/**
 * Whole graphs: inference, training step, gradients, batch-norm statistics, matrix product.
 *
 * Weights are inputs of every graph and the training graph's new weights are outputs, so that one set of arrays serves them all. `block` is the
 * number of channels that lie together in volumes, see planes.ts.
 * @module
 */
import type { NetworkState, Optimiser } from "../network.ts";
import { isTrained, type NetworkShapes, sizeOf } from "../shapes.ts";
import { emitElu, emitGaussianDropout, emitSigmoid } from "./activations.ts";
import { emitConvolution } from "./convolution.ts";
import { Graph } from "./graph.ts";
import { emitLoss } from "./loss.ts";
import { emitBatchNorm } from "./normalisation.ts";
import { BATCH, type Emitted, type Emitters, INVERSE_COUNT, type LayerOf, type Mode, Pass } from "./pass.ts";
import { emitGlobalMaxPool, emitUpsample } from "./sampling.ts";
import { emitConcat, emitDense, emitReshape } from "./vectors.ts";

/** Graph input `[batch, ...]`. */
export const TARGETS = "#targets";
/** Graph inputs `[]`: see {@linkcode ../nadam.ts!nadamStep}. */
export const NADAM_SCALARS = ["#gradientFactor", "#momentFactor", "#varianceFactor"] as const;
/** Graph output `[]`. */
export const LOSS = "#loss";
/** Suffix of an output that replaces the input of the same name. */
export const NEXT = ":next";
/** Suffix of an output that is the gradient of a parameter. */
export const GRADIENT = ":gradient";
/** Suffix of the output that is the mean square of a batch norm's input. */
export const MEAN_SQUARE = ":meanSquare";

function emitInput(_pass: Pass, { id, shape }: LayerOf<"input">): Emitted {
  return { value: { tensor: id, shape, raw: true } };
}

const emitters: Emitters = {
  input: emitInput,
  gaussianDropout: emitGaussianDropout,
  conv3d: emitConvolution,
  elu: emitElu,
  sigmoid: emitSigmoid,
  batchNorm: emitBatchNorm,
  globalMaxPool: emitGlobalMaxPool,
  concat: emitConcat,
  dense: emitDense,
  upsample3d: emitUpsample,
  reshape: emitReshape,
};

/** A graph and the names of what goes in and comes out. */
export interface Model {
  readonly bytes: Uint8Array;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/** Running statistics and weights in, the layers named in `outputs` out, `[batch, ...shape]` each under its layer's id. */
export function inferenceModel(network: NetworkShapes, outputs: readonly string[], block: number): Model {
  const { graph, pass } = begin(network, "infer", outputs, block);
  pass.forward(outputs);
  nameOutputs(pass, outputs);
  return finish(graph);
}

/**
 * A plain inference model with its weights inside, for other programs: inputs and outputs are named as in the spec. Opset 18, no operators of
 * ONNX Runtime's own.
 *
 * @throws {ShapeError} When the spec is faulty.
 */
export function standaloneModel(network: NetworkShapes, state: NetworkState): Uint8Array {
  const { outputs } = network.spec;
  const graph = new Graph();
  const pass = new Pass(graph, network, "infer", emitters, 1);
  const used = new Set(pass.ancestors(outputs));
  for (const [name, shape] of network.feeds) {
    if (used.has(name)) graph.input(name, [BATCH, ...shape]);
  }
  for (const { name, layer, shape } of network.parameters) {
    if (used.has(layer)) graph.constant(name, shape, state.arrays[name].values);
  }
  pass.forward(outputs);
  nameOutputs(pass, outputs);
  return graph.encode();
}

/** Mean and mean square of every batch norm's input in this batch, `id.mean` and `id.variance` with the suffixes NEXT and MEAN_SQUARE. */
export function calibrationModel(network: NetworkShapes, block: number): Model {
  const norms = [...network.layers.values()].filter((layer) => layer.op === "batchNorm").map((layer) => layer.id);
  const { graph, pass } = begin(network, "calibrate", norms, block);
  pass.forward(norms);
  for (const { layer, mean, meanSquare } of pass.statistics) {
    const axes = network.shapes.get(layer)!.slice(0, 1);
    graph.output(graph.rename(mean, `${layer}.mean${NEXT}`), axes);
    graph.output(graph.rename(meanSquare, `${layer}${MEAN_SQUARE}`), axes);
  }
  return finish(graph);
}

/** Loss and the gradient of every parameter. */
export function gradientModel(network: NetworkShapes, block: number): Model {
  const { graph, pass } = beginTraining(network, block);
  for (const parameter of network.parameters) {
    const gradient = pass.gradients.get(parameter.name);
    if (gradient) graph.output(graph.rename(gradient, parameter.name + GRADIENT), parameter.shape);
  }
  return finish(graph);
}

/** One step: loss, new weights and moments of the trained layers, new running statistics. */
export function trainingModel(network: NetworkShapes, optimiser: Optimiser, block: number, trainable?: readonly string[]): Model {
  const { graph, pass } = beginTraining(network, block, trainable);
  const scalars = NADAM_SCALARS.map((name) => graph.input(name, []));
  for (const { name, shape } of network.parameters) {
    const gradient = pass.gradients.get(name);
    if (!gradient) continue;
    for (const moment of [":m", ":v"]) graph.input(name + moment, shape);
    emitNadam(graph, name, gradient, optimiser, scalars);
    for (const part of ["", ":m", ":v"]) graph.output(name + part + NEXT, shape);
  }
  for (const { layer, mean, variance } of pass.statistics) {
    if (!pass.trains(layer)) continue;
    const { momentum } = network.layers.get(layer) as LayerOf<"batchNorm">;
    for (const [role, batch] of [["mean", mean], ["variance", variance]]) {
      const name = `${layer}.${role}`;
      const old = graph.node("Mul", [graph.input(name, network.shapes.get(layer)!.slice(0, 1)), graph.scalar(momentum)]);
      graph.node("Add", [old, graph.node("Mul", [batch, graph.scalar(1 - momentum)])], {}, name + NEXT);
      graph.output(name + NEXT, network.shapes.get(layer)!.slice(0, 1));
    }
  }
  return finish(graph);
}

/** `a` times `b` -> `c`, float32, any size. */
export function productModel(transposeA: boolean, transposeB: boolean): Model {
  const graph = new Graph();
  graph.input("a", ["a0", "a1"]);
  graph.input("b", ["b0", "b1"]);
  graph.node("Gemm", ["a", "b"], { transA: Number(transposeA), transB: Number(transposeB) }, "c");
  graph.output("c", ["m", "n"]);
  return finish(graph);
}

/** Starts a graph with the inputs that a forward pass to `ids` reads. Training graphs declare running statistics themselves. */
function begin(network: NetworkShapes, mode: Mode, ids: readonly string[], block: number, trainable?: readonly string[]) {
  const graph = new Graph();
  const pass = new Pass(graph, network, mode, emitters, block, trainable);
  const used = new Set(pass.ancestors(ids));
  for (const layer of used) {
    const own = network.layers.get(layer)!;
    if (own.op === "input") graph.input(layer, [BATCH, ...own.shape]);
    if (own.op === "gaussianDropout" && mode === "train") graph.input(own.noise, [BATCH, ...network.shapes.get(layer)!]);
  }
  for (const parameter of network.parameters) {
    if (used.has(parameter.layer) && (mode === "infer" || isTrained(parameter))) graph.input(parameter.name, parameter.shape);
  }
  return { graph, pass };
}

function beginTraining(network: NetworkShapes, block: number, trainable?: readonly string[]) {
  const loss = network.spec.loss!;
  const { graph, pass } = begin(network, "train", [loss.prediction], block, trainable);
  graph.input(TARGETS, [BATCH, ...network.shapes.get(loss.prediction)!]);
  graph.input(INVERSE_COUNT, []);
  pass.forward([loss.prediction]);
  const emitted = emitLoss(pass, loss, TARGETS);
  graph.output(graph.rename(emitted.loss, LOSS), []);
  pass.backward(loss.prediction, emitted.gradient);
  return { graph, pass };
}

function nameOutputs(pass: Pass, outputs: readonly string[]): void {
  for (const id of new Set(outputs)) {
    // A tensor cannot have two names, nor an output the name of an input.
    if (pass.network.layers.get(id)!.op === "input") continue;
    pass.graph.output(pass.graph.rename(pass.plain(id), id), [BATCH, ...pass.network.shapes.get(id)!]);
  }
}

function emitNadam(graph: Graph, name: string, gradient: string, optimiser: Optimiser, scalars: readonly string[]): void {
  const [gradientFactor, momentFactor, varianceFactor] = scalars;
  const mix = (old: string, next: string, beta: number, output: string) =>
    graph.node(
      "Add",
      [graph.node("Mul", [old, graph.scalar(beta)]), graph.node("Mul", [next, graph.scalar(1 - beta)])],
      {},
      output,
    );
  const moment = mix(`${name}:m`, gradient, optimiser.beta1, `${name}:m${NEXT}`);
  const variance = mix(`${name}:v`, graph.node("Mul", [gradient, gradient]), optimiser.beta2, `${name}:v${NEXT}`);
  const step = graph.node("Add", [graph.node("Mul", [gradient, gradientFactor]), graph.node("Mul", [moment, momentFactor])]);
  const root = graph.node("Sqrt", [graph.node("Mul", [variance, varianceFactor])]);
  const change = graph.node("Div", [step, graph.node("Add", [root, graph.scalar(optimiser.epsilon)])]);
  graph.node("Sub", [name, change], {}, name + NEXT);
}

function finish(graph: Graph): Model {
  return { bytes: graph.encode(), inputs: graph.inputs, outputs: graph.outputs };
}

/** Bytes that the activations of one row take, roughly: what the batch size must be multiplied with. */
export function bytesPerRow(network: NetworkShapes, training: boolean): number {
  let numbers = 0;
  for (const shape of network.shapes.values()) numbers += sizeOf(shape);
  // Measured with YOPO. The tensors of a convolution, its ELU and its batch norm are counted, of which training keeps one until the way back,
  // but a kernel's gradient joins several copies of its input.
  return 4 * numbers * (training ? 4 : 1);
}
