/**
 * What a {@linkcode NetworkSpec} means in numbers: the shape of every layer and the name, shape and role of every parameter. Every engine
 * and every caller checks against this one reading of a spec.
 * @module
 */
import { ShapeError } from "../../streams/errors.ts";
import type { Feed, Layer, NetworkSpec, NetworkState } from "./network.ts";

/** One named array of a network. `mean` and `variance` are running batch-norm statistics: kept, never trained. */
export interface Parameter {
  /** `conv1.weight`. */
  readonly name: string;
  /** Id of the layer that owns it. */
  readonly layer: string;
  readonly role: "weight" | "bias" | "gamma" | "beta" | "mean" | "variance";
  readonly shape: readonly number[];
}

/** A spec, checked. Shapes leave out the batch axis. */
export interface NetworkShapes {
  readonly spec: NetworkSpec;
  readonly layers: ReadonlyMap<string, Layer>;
  /** Shape of each layer's output. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** Every parameter, in layer order. */
  readonly parameters: readonly Parameter[];
  /** Shape of each array that a training feed must hold: inputs and noises. */
  readonly feeds: ReadonlyMap<string, readonly number[]>;
  /** Names in `feeds` that are noise: absent at inference. */
  readonly noises: ReadonlySet<string>;
}

/** Whether gradient descent changes a parameter (running statistics are not changed by it). */
export function isTrained(parameter: Parameter): boolean {
  return parameter.role !== "mean" && parameter.role !== "variance";
}

/** Product of the axes; 1 for a scalar. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, axis) => product * axis, 1);
}

/** Ids of the layers that a layer reads. */
export function inputsOf(layer: Layer): readonly string[] {
  if (layer.op === "input") return [];
  return layer.op === "concat" ? layer.from : [layer.from];
}

/**
 * Reads a spec: infers the shape of every layer and lists the parameters.
 *
 * @throws {ShapeError} When an id is used twice or unknown, a layer reads a later one, a shape does not fit its layer, a number is out of
 * range, or the loss or an output names no layer. The message names the layer and what it was given.
 */
export function inspectNetwork(spec: NetworkSpec): NetworkShapes {
  const layers = new Map<string, Layer>();
  const shapes = new Map<string, readonly number[]>();
  const feeds = new Map<string, readonly number[]>();
  const noises = new Set<string>();
  const parameters: Parameter[] = [];
  for (const layer of spec.layers) {
    if (layers.has(layer.id)) throw new ShapeError(`layer "${layer.id}": the id stands twice: give every layer its own`);
    const given = inputsOf(layer).map((id) => {
      const shape = shapes.get(id);
      if (!shape) throw new ShapeError(`layer "${layer.id}" reads "${id}", which no earlier layer is called`);
      return shape;
    });
    const shape = outputShape(layer, given);
    if (layer.op === "input") feeds.set(layer.id, shape);
    if (layer.op === "gaussianDropout") {
      if (feeds.has(layer.noise)) throw new ShapeError(`layer "${layer.id}": the feed "${layer.noise}" has another use already`);
      feeds.set(layer.noise, shape);
      noises.add(layer.noise);
    }
    layers.set(layer.id, layer);
    shapes.set(layer.id, shape);
    parameters.push(...parametersOf(layer, given[0]));
  }
  for (const id of spec.outputs) {
    if (!layers.has(id)) throw new ShapeError(`outputs name "${id}", which is no layer: ${[...layers.keys()].join(", ")}`);
  }
  if (spec.loss && !layers.has(spec.loss.prediction)) {
    throw new ShapeError(`the loss reads "${spec.loss.prediction}", which is no layer: ${[...layers.keys()].join(", ")}`);
  }
  if (spec.loss && spec.loss.kind !== "meanSquared" && shapes.get(spec.loss.prediction)!.length !== 1) {
    throw new ShapeError(
      `the loss ${spec.loss.kind} needs a prediction [units], "${spec.loss.prediction}" gives ${show(shapes.get(spec.loss.prediction)!)}`,
    );
  }
  return { spec, layers, shapes, parameters, feeds, noises };
}

function outputShape(layer: Layer, given: readonly (readonly number[])[]): readonly number[] {
  const [first] = given;
  const fail = (needs: string): never => {
    throw new ShapeError(`layer "${layer.id}" (${layer.op}) needs ${needs}, it is given ${given.map(show).join(", ")}`);
  };
  const count = (value: number, what: string) => {
    if (!Number.isInteger(value) || value < 1) {
      throw new ShapeError(`layer "${layer.id}" (${layer.op}): ${what} is ${value}, it must be a whole number from 1`);
    }
  };
  switch (layer.op) {
    case "input":
      layer.shape.forEach((axis) => count(axis, "an axis"));
      return layer.shape;
    case "gaussianDropout":
    case "elu":
    case "sigmoid":
      return first;
    case "batchNorm":
      if (first.length !== 1 && first.length !== 4) fail("[c] or [c, z, y, x]");
      return first;
    case "conv3d": {
      count(layer.channels, "channels");
      count(layer.kernel, "kernel");
      if (first.length !== 4) fail("[c, z, y, x]");
      if (layer.padding === "same" && layer.kernel % 2 === 0) fail(`an odd kernel for padding "same" (kernel is ${layer.kernel})`);
      const lost = layer.padding === "valid" ? layer.kernel - 1 : 0;
      if (first.slice(1).some((axis) => axis <= lost)) fail(`more than ${lost} voxels along every axis`);
      return [layer.channels, ...first.slice(1).map((axis) => axis - lost)];
    }
    case "globalMaxPool":
      if (first.length !== 4) fail("[c, z, y, x]");
      return [first[0]];
    case "concat": {
      if (given.length === 0) fail("at least one layer");
      const rest = show(first.slice(1));
      if (given.some((shape) => shape.length < 1 || show(shape.slice(1)) !== rest)) fail("shapes that differ in channels only");
      return [given.reduce((sum, shape) => sum + shape[0], 0), ...first.slice(1)];
    }
    case "dense":
      count(layer.units, "units");
      if (first.length !== 1) fail("[in]");
      return [layer.units];
    case "upsample3d":
      count(layer.factor, "factor");
      if (first.length !== 4) fail("[c, z, y, x]");
      return [first[0], ...first.slice(1).map((axis) => axis * layer.factor)];
    case "reshape":
      if (sizeOf(layer.shape) !== sizeOf(first)) fail(`${sizeOf(layer.shape)} numbers for ${show(layer.shape)}`);
      return layer.shape;
  }
}

function parametersOf(layer: Layer, given: readonly number[] | undefined): Parameter[] {
  const make = (role: Parameter["role"], shape: readonly number[]): Parameter => ({
    name: `${layer.id}.${role}`,
    layer: layer.id,
    role,
    shape,
  });
  if (layer.op === "conv3d") {
    const { channels, kernel } = layer;
    return [make("weight", [channels, given![0], kernel, kernel, kernel]), make("bias", [channels])];
  }
  if (layer.op === "dense") return [make("weight", [given![0], layer.units]), make("bias", [layer.units])];
  if (layer.op === "batchNorm") {
    return (["gamma", "beta", "mean", "variance"] as const).map((role) => make(role, [given![0]]));
  }
  return [];
}

/**
 * Checks that a state fits a network.
 *
 * @throws {ShapeError} When a parameter is absent or has another shape or length, or a moment has another shape than its parameter.
 */
export function checkState(network: NetworkShapes, state: NetworkState): void {
  for (const parameter of network.parameters) {
    const suffixes = isTrained(parameter) ? ["", ":m", ":v"] : [""];
    for (const suffix of suffixes) {
      const array = state.arrays[parameter.name + suffix];
      if (!array) {
        if (suffix) continue;
        throw new ShapeError(`the state has no "${parameter.name}", which the network needs as ${show(parameter.shape)}`);
      }
      if (show(array.shape) !== show(parameter.shape) || array.values.length !== sizeOf(parameter.shape)) {
        throw new ShapeError(
          `"${parameter.name}${suffix}" of the state is ${show(array.shape)} with ${array.values.length} numbers, ` +
            `the network needs ${show(parameter.shape)}`,
        );
      }
    }
  }
}

/**
 * Checks that a feed holds what a pass needs.
 *
 * @param training Whether noise must be there too.
 * @throws {ShapeError} When an array is absent or has another length than `count` times its layer's.
 */
export function checkFeed(network: NetworkShapes, inputs: Feed, count: number, training: boolean): void {
  if (!Number.isInteger(count) || count < 1) throw new ShapeError(`a batch of ${count} rows: at least 1 is needed`);
  for (const [name, shape] of network.feeds) {
    if (!training && network.noises.has(name)) continue;
    const array = inputs[name];
    const needed = count * sizeOf(shape);
    if (!array) throw new ShapeError(`the feed has no "${name}", which must be ${show([count, ...shape])}`);
    if (array.length !== needed) {
      throw new ShapeError(`"${name}" of the feed has ${array.length} numbers, ${show([count, ...shape])} needs ${needed}`);
    }
  }
}

/**
 * Checks the targets of a training batch.
 *
 * @throws {ShapeError} When the network has no loss, or the targets' length is not `count` times the prediction's.
 */
export function checkTargets(network: NetworkShapes, targets: Float32Array, count: number): void {
  const loss = network.spec.loss;
  if (!loss) throw new ShapeError("the network has no loss: it can only be used for inference");
  const shape = network.shapes.get(loss.prediction)!;
  if (targets.length !== count * sizeOf(shape)) {
    throw new ShapeError(`targets hold ${targets.length} numbers, ${show([count, ...shape])} needs ${count * sizeOf(shape)}`);
  }
}

/**
 * Which layers a step may change, as a set of ids.
 *
 * @throws {ShapeError} When an id is no layer, or none of the layers has anything to train.
 */
export function trainableLayers(network: NetworkShapes, trainable: readonly string[] | undefined): ReadonlySet<string> {
  const owners = new Set(network.parameters.map((parameter) => parameter.layer));
  if (!trainable) return owners;
  for (const id of trainable) {
    if (!network.layers.has(id)) {
      throw new ShapeError(`trainable names "${id}", which is no layer: ${[...network.layers.keys()].join(", ")}`);
    }
  }
  const chosen = new Set(trainable.filter((id) => owners.has(id)));
  if (chosen.size === 0) throw new ShapeError(`none of the layers ${trainable.join(", ")} has parameters: there is nothing to train`);
  return chosen;
}

/** `[64, 22, 22, 22]` as people write it. */
export function show(shape: readonly number[]): string {
  return `[${shape.join(", ")}]`;
}
