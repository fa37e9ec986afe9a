/**
 * The network that every engine is held against: float64, plain loops, nothing clever. It reads a `NetworkSpec` by itself and shares no code
 * with the engines.
 * @module
 */
import type { Feed, Layer, NetworkSpec, NetworkState } from "../../../plugins/engines/network.ts";

interface Array64 {
  readonly shape: readonly number[];
  readonly values: Float64Array;
}
type Mode = "infer" | "calibrate" | "train";

const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
const zeros = (shape: readonly number[]): Array64 => ({ shape, values: new Float64Array(size(shape)) });

/** Float64 twin of a `Network`, synchronous. */
export class ReferenceNetwork {
  readonly arrays = new Map<string, Float64Array>();
  readonly #spec: NetworkSpec;
  readonly #shapes: Record<string, readonly number[]> = {};
  #step: number;
  #product: number;
  #outputs = new Map<string, Array64>();
  #gradients = new Map<string, Array64>();
  #parameterGradients = new Map<string, Float64Array>();
  #statistics = new Map<string, { mean: Float64Array; meanSquare: Float64Array }>();
  #pooled: { rows: number; sums: Map<string, { mean: Float64Array; meanSquare: Float64Array }> } = { rows: 0, sums: new Map() };

  constructor(spec: NetworkSpec, state: NetworkState) {
    this.#spec = spec;
    this.#step = state.step;
    this.#product = state.momentumProduct;
    for (const [name, { shape, values }] of Object.entries(state.arrays)) {
      this.arrays.set(name, Float64Array.from(values));
      this.#shapes[name] = shape;
    }
  }

  infer(inputs: Feed, count: number, outputs: readonly string[]): Record<string, Float64Array> {
    this.#forward(inputs, count, "infer");
    return Object.fromEntries(outputs.map((id) => [id, this.#outputs.get(id)!.values]));
  }

  gradients(inputs: Feed, targets: Float32Array, count: number): { loss: number; gradients: Map<string, Float64Array> } {
    this.#forward(inputs, count, "train");
    const loss = this.#backward(targets, count);
    return { loss, gradients: this.#parameterGradients };
  }

  trainStep(inputs: Feed, targets: Float32Array, count: number, learningRate: number, trainable?: readonly string[]): { loss: number } {
    const { loss, gradients } = this.gradients(inputs, targets, count);
    const trained = (name: string) => !trainable || trainable.includes(name.split(".")[0]);
    for (const layer of this.#spec.layers) {
      if (layer.op !== "batchNorm" || !trained(layer.id)) continue;
      const { mean, meanSquare } = this.#statistics.get(layer.id)!;
      const [runningMean, runningVariance] = [this.arrays.get(`${layer.id}.mean`)!, this.arrays.get(`${layer.id}.variance`)!];
      for (let c = 0; c < mean.length; c++) {
        runningMean[c] = runningMean[c] * layer.momentum + mean[c] * (1 - layer.momentum);
        runningVariance[c] = runningVariance[c] * layer.momentum + (meanSquare[c] - mean[c] ** 2) * (1 - layer.momentum);
      }
    }
    const { beta1, beta2, epsilon } = this.#spec.optimiser!;
    const t = ++this.#step;
    const momentumNow = beta1 * (1 - 0.5 * 0.96 ** (t * 0.004));
    const momentumNext = beta1 * (1 - 0.5 * 0.96 ** ((t + 1) * 0.004));
    this.#product *= momentumNow;
    for (const [name, gradient] of gradients) {
      if (!trained(name)) continue;
      const [p, m, v] = ["", ":m", ":v"].map((suffix) => this.arrays.get(name + suffix)!);
      for (let i = 0; i < gradient.length; i++) {
        m[i] = beta1 * m[i] + (1 - beta1) * gradient[i];
        v[i] = beta2 * v[i] + (1 - beta2) * gradient[i] ** 2;
        const gradientPart = gradient[i] / (1 - this.#product);
        const momentPart = m[i] / (1 - this.#product * momentumNext);
        const moment = (1 - momentumNow) * gradientPart + momentumNext * momentPart;
        p[i] -= learningRate * moment / (Math.sqrt(v[i] / (1 - beta2 ** t)) + epsilon);
      }
    }
    return { loss };
  }

  calibrate(inputs: Feed, count: number, first: boolean): void {
    this.#forward(inputs, count, "calibrate");
    if (first) this.#pooled = { rows: 0, sums: new Map() };
    this.#pooled.rows += count;
    for (const [id, { mean, meanSquare }] of this.#statistics) {
      const sums = this.#pooled.sums.get(id) ?? { mean: new Float64Array(mean.length), meanSquare: new Float64Array(mean.length) };
      this.#pooled.sums.set(id, sums);
      for (let c = 0; c < mean.length; c++) {
        sums.mean[c] += count * mean[c];
        sums.meanSquare[c] += count * meanSquare[c];
        const pooled = sums.mean[c] / this.#pooled.rows;
        this.arrays.get(`${id}.mean`)![c] = pooled;
        this.arrays.get(`${id}.variance`)![c] = sums.meanSquare[c] / this.#pooled.rows - pooled ** 2;
      }
    }
  }

  #forward(inputs: Feed, count: number, mode: Mode): void {
    this.#outputs.clear();
    this.#statistics.clear();
    for (const layer of this.#spec.layers) this.#outputs.set(layer.id, this.#layer(layer, inputs, count, mode));
  }

  #in(id: string): Array64 {
    return this.#outputs.get(id)!;
  }

  #layer(layer: Layer, inputs: Feed, count: number, mode: Mode): Array64 {
    switch (layer.op) {
      case "input":
        return { shape: [count, ...layer.shape], values: Float64Array.from(inputs[layer.id]) };
      case "gaussianDropout": {
        const { shape, values } = this.#in(layer.from);
        return { shape, values: mode === "train" ? values.map((value, i) => value * inputs[layer.noise][i]) : values };
      }
      case "elu": {
        const { shape, values } = this.#in(layer.from);
        return { shape, values: values.map((value) => value > 0 ? value : Math.expm1(value)) };
      }
      case "sigmoid": {
        const { shape, values } = this.#in(layer.from);
        return { shape, values: values.map((value) => 1 / (1 + Math.exp(-value))) };
      }
      case "reshape":
        return { shape: [count, ...layer.shape], values: this.#in(layer.from).values };
      case "batchNorm":
        return this.#normalise(layer, mode);
      case "conv3d":
        return this.#convolve(layer);
      case "globalMaxPool": {
        const { shape, values } = this.#in(layer.from);
        const voxels = size(shape.slice(2));
        const out = zeros(shape.slice(0, 2));
        for (let i = 0; i < out.values.length; i++) out.values[i] = Math.max(...values.subarray(i * voxels, (i + 1) * voxels));
        return out;
      }
      case "concat": {
        const parts = layer.from.map((id) => this.#in(id));
        const rest = size(parts[0].shape.slice(2));
        const channels = parts.reduce((sum, { shape }) => sum + shape[1], 0);
        const out = zeros([count, channels, ...parts[0].shape.slice(2)]);
        let at = 0;
        for (let row = 0; row < count; row++) {
          for (const { shape, values } of parts) {
            out.values.set(values.subarray(row * shape[1] * rest, (row + 1) * shape[1] * rest), at);
            at += shape[1] * rest;
          }
        }
        return out;
      }
      case "dense": {
        const { shape: [, ins], values } = this.#in(layer.from);
        const [weight, bias] = [this.arrays.get(`${layer.id}.weight`)!, this.arrays.get(`${layer.id}.bias`)!];
        const out = zeros([count, layer.units]);
        for (let row = 0; row < count; row++) {
          for (let unit = 0; unit < layer.units; unit++) {
            let sum = bias[unit];
            for (let i = 0; i < ins; i++) sum += values[row * ins + i] * weight[i * layer.units + unit];
            out.values[row * layer.units + unit] = sum;
          }
        }
        return out;
      }
      case "upsample3d": {
        const { shape, values } = this.#in(layer.from);
        const out = zeros([...shape.slice(0, 2), ...shape.slice(2).map((axis) => axis * layer.factor)]);
        eachVoxel(out.shape, (i, index) => out.values[i] = values[flat(shape, coarse(index, layer.factor))]);
        return out;
      }
    }
  }

  #normalise(layer: Extract<Layer, { op: "batchNorm" }>, mode: Mode): Array64 {
    const { shape, values } = this.#in(layer.from);
    const channels = shape[1];
    let [mean, variance] = [this.arrays.get(`${layer.id}.mean`)!, this.arrays.get(`${layer.id}.variance`)!];
    const [gamma, beta] = [this.arrays.get(`${layer.id}.gamma`)!, this.arrays.get(`${layer.id}.beta`)!];
    const channelOf = channelIndex(shape);
    if (mode !== "infer") {
      const each = values.length / channels;
      mean = new Float64Array(channels);
      variance = new Float64Array(channels);
      values.forEach((value, i) => mean[channelOf(i)] += value / each);
      values.forEach((value, i) => variance[channelOf(i)] += (value - mean[channelOf(i)]) ** 2 / each);
      this.#statistics.set(layer.id, { mean, meanSquare: variance.map((value, c) => value + mean[c] ** 2) });
    }
    const normal = (value: number, c: number) => (value - mean[c]) / Math.sqrt(variance[c] + layer.epsilon);
    return { shape, values: values.map((value, i) => gamma[channelOf(i)] * normal(value, channelOf(i)) + beta[channelOf(i)]) };
  }

  #convolve(layer: Extract<Layer, { op: "conv3d" }>): Array64 {
    const input = this.#in(layer.from);
    const bias = this.arrays.get(`${layer.id}.bias`)!;
    const weight = this.arrays.get(`${layer.id}.weight`)!;
    const lost = layer.padding === "valid" ? layer.kernel - 1 : 0;
    const out = zeros([input.shape[0], layer.channels, ...input.shape.slice(2).map((axis) => axis - lost)]);
    const channelOf = channelIndex(out.shape);
    out.values.forEach((_, i) => out.values[i] = bias[channelOf(i)]);
    eachTap(layer, input.shape, out.shape, (o, i, w) => out.values[o] += input.values[i] * weight[w]);
    return out;
  }

  #backward(targets: Float32Array, count: number): number {
    const { kind, prediction } = this.#spec.loss!;
    this.#gradients = new Map();
    this.#parameterGradients = new Map();
    const { loss, gradient } = lossOf(kind, this.#in(prediction), targets, count);
    this.#gradients.set(prediction, gradient);
    for (const layer of this.#spec.layers.toReversed()) {
      const given = this.#gradients.get(layer.id);
      if (given) this.#layerBackward(layer, given, count);
    }
    return loss;
  }

  #add(id: string): Float64Array {
    let gradient = this.#gradients.get(id);
    if (!gradient) this.#gradients.set(id, gradient = zeros(this.#in(id).shape));
    return gradient.values;
  }

  #parameter(name: string): Float64Array {
    const gradient = new Float64Array(this.arrays.get(name)!.length);
    this.#parameterGradients.set(name, gradient);
    return gradient;
  }

  #layerBackward(layer: Layer, { shape, values: given }: Array64, count: number): void {
    switch (layer.op) {
      case "input":
        return;
      case "gaussianDropout":
        return; // Only ever applied to an input, which has no parameters behind it.
      case "elu": {
        const out = this.#in(layer.id).values;
        const gradient = this.#add(layer.from);
        return given.forEach((value, i) => gradient[i] += value * (out[i] > 0 ? 1 : out[i] + 1));
      }
      case "sigmoid": {
        const out = this.#in(layer.id).values;
        const gradient = this.#add(layer.from);
        return given.forEach((value, i) => gradient[i] += value * out[i] * (1 - out[i]));
      }
      case "reshape": {
        const gradient = this.#add(layer.from);
        return given.forEach((value, i) => gradient[i] += value);
      }
      case "batchNorm": {
        const input = this.#in(layer.from);
        const { mean, meanSquare } = this.#statistics.get(layer.id)!;
        const channelOf = channelIndex(shape);
        const each = given.length / mean.length;
        const deviation = mean.map((value, c) => Math.sqrt(meanSquare[c] - value ** 2 + layer.epsilon));
        const normal = (i: number) => (input.values[i] - mean[channelOf(i)]) / deviation[channelOf(i)];
        const [gamma, beta] = [this.#parameter(`${layer.id}.gamma`), this.#parameter(`${layer.id}.beta`)];
        given.forEach((value, i) => beta[channelOf(i)] += value);
        given.forEach((value, i) => gamma[channelOf(i)] += value * normal(i));
        const gradient = this.#add(layer.from);
        const scale = this.arrays.get(`${layer.id}.gamma`)!;
        given.forEach((value, i) => {
          const c = channelOf(i);
          gradient[i] += scale[c] / deviation[c] * (value - beta[c] / each - normal(i) * gamma[c] / each);
        });
        return;
      }
      case "conv3d": {
        const input = this.#in(layer.from);
        const weight = this.arrays.get(`${layer.id}.weight`)!;
        const [dWeight, dBias] = [this.#parameter(`${layer.id}.weight`), this.#parameter(`${layer.id}.bias`)];
        const gradient = this.#add(layer.from);
        const channelOf = channelIndex(shape);
        given.forEach((value, i) => dBias[channelOf(i)] += value);
        return eachTap(layer, input.shape, shape, (o, i, w) => {
          dWeight[w] += given[o] * input.values[i];
          gradient[i] += given[o] * weight[w];
        });
      }
      case "globalMaxPool": {
        const input = this.#in(layer.from);
        const voxels = size(input.shape.slice(2));
        const gradient = this.#add(layer.from);
        return given.forEach((value, i) => {
          const volume = input.values.subarray(i * voxels, (i + 1) * voxels);
          gradient[i * voxels + volume.indexOf(Math.max(...volume))] += value;
        });
      }
      case "concat": {
        let at = 0;
        const rest = size(shape.slice(2));
        for (let row = 0; row < count; row++) {
          for (const id of layer.from) {
            const part = this.#in(id).shape[1] * rest;
            const gradient = this.#add(id);
            for (let i = 0; i < part; i++) gradient[row * part + i] += given[at++];
          }
        }
        return;
      }
      case "dense": {
        const { shape: [, ins], values } = this.#in(layer.from);
        const weight = this.arrays.get(`${layer.id}.weight`)!;
        const [dWeight, dBias] = [this.#parameter(`${layer.id}.weight`), this.#parameter(`${layer.id}.bias`)];
        const gradient = this.#add(layer.from);
        for (let row = 0; row < count; row++) {
          for (let unit = 0; unit < layer.units; unit++) {
            const value = given[row * layer.units + unit];
            dBias[unit] += value;
            for (let i = 0; i < ins; i++) {
              dWeight[i * layer.units + unit] += value * values[row * ins + i];
              gradient[row * ins + i] += value * weight[i * layer.units + unit];
            }
          }
        }
        return;
      }
      case "upsample3d": {
        const input = this.#in(layer.from);
        const gradient = this.#add(layer.from);
        return eachVoxel(shape, (i, index) => gradient[flat(input.shape, coarse(index, layer.factor))] += given[i]);
      }
    }
  }
}

function lossOf(kind: string, prediction: Array64, targets: Float32Array, count: number): { loss: number; gradient: Array64 } {
  const { shape, values } = prediction;
  const gradient = zeros(shape);
  let loss = 0;
  if (kind === "meanSquared") {
    values.forEach((value, i) => {
      loss += (value - targets[i]) ** 2 / values.length;
      gradient.values[i] = 2 * (value - targets[i]) / values.length;
    });
    return { loss, gradient };
  }
  const units = shape[1];
  for (let row = 0; row < count; row++) {
    const z = values.subarray(row * units, (row + 1) * units);
    const t = targets.subarray(row * units, (row + 1) * units);
    const largest = Math.max(...z);
    const sum = z.reduce((total, value) => total + Math.exp(value - largest), 0);
    const p = z.map((value) => Math.exp(value - largest) / sum);
    const byProbability = new Float64Array(units);
    if (kind === "softmaxCrossEntropy") {
      p.forEach((value, i) => {
        loss -= t[i] * Math.log(value) / count;
        byProbability[i] = -t[i] / value / count;
      });
    } else {
      const right = p.reduce((total, value, i) => total + value * t[i], 0);
      const wrong = p.map((value, i) => (1 - t[i]) * value);
      const worst = wrong.indexOf(Math.max(...wrong));
      const margin = wrong[worst] - right + 1;
      if (margin > 0) {
        loss += margin / count;
        t.forEach((value, i) => byProbability[i] = (-value + (i === worst ? 1 - t[i] : 0)) / count);
      }
    }
    const along = p.reduce((total, value, i) => total + value * byProbability[i], 0);
    p.forEach((value, i) => gradient.values[row * units + i] = value * (byProbability[i] - along));
  }
  return { loss, gradient };
}

function channelIndex(shape: readonly number[]): (i: number) => number {
  const rest = size(shape.slice(2));
  return (i) => Math.floor(i / rest) % shape[1];
}

function eachVoxel(shape: readonly number[], visit: (i: number, index: readonly number[]) => void): void {
  const [rows, channels, nz, ny, nx] = shape;
  let i = 0;
  for (let n = 0; n < rows; n++) {
    for (let c = 0; c < channels; c++) {
      for (let z = 0; z < nz; z++) {
        for (let y = 0; y < ny; y++) {
          for (let x = 0; x < nx; x++) visit(i++, [n, c, z, y, x]);
        }
      }
    }
  }
}

function flat(shape: readonly number[], index: readonly number[]): number {
  return index.reduce((sum, at, axis) => sum * shape[axis] + at, 0);
}

function coarse([n, c, z, y, x]: readonly number[], factor: number): number[] {
  return [n, c, Math.floor(z / factor), Math.floor(y / factor), Math.floor(x / factor)];
}

/** Visits every product of a convolution: output voxel, input voxel, weight. */
function eachTap(
  layer: Extract<Layer, { op: "conv3d" }>,
  [rows, channels, nz, ny, nx]: readonly number[],
  output: readonly number[],
  visit: (output: number, input: number, weight: number) => void,
): void {
  const { kernel } = layer;
  const before = layer.padding === "same" ? (kernel - 1) / 2 : 0;
  const [, outs, oz, oy, ox] = output;
  for (let pair = 0; pair < rows * outs * channels; pair++) {
    const [n, o, c] = [Math.floor(pair / outs / channels), Math.floor(pair / channels) % outs, pair % channels];
    for (let tap = 0; tap < kernel ** 3; tap++) {
      const [kz, ky, kx] = [Math.floor(tap / kernel ** 2) - before, Math.floor(tap / kernel) % kernel - before, tap % kernel - before];
      const weight = (o * channels + c) * kernel ** 3 + tap;
      for (let z = Math.max(0, -kz); z < Math.min(oz, nz - kz); z++) {
        for (let y = Math.max(0, -ky); y < Math.min(oy, ny - ky); y++) {
          const from = (((n * outs + o) * oz + z) * oy + y) * ox;
          const into = (((n * channels + c) * nz + z + kz) * ny + y + ky) * nx + kx;
          for (let x = Math.max(0, -kx); x < Math.min(ox, nx - kx); x++) visit(from + x, into + x, weight);
        }
      }
    }
  }
}
