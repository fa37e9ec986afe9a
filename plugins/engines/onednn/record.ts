/**
 * Records a network's forward pass, and the way back, as a program.
 * @module
 */
import type { Layer } from "../network.ts";
import { emitActivation, emitGaussianDropout } from "./activations.ts";
import { emitConvolution } from "./convolution.ts";
import { emitDense } from "./dense.ts";
import { emitLoss } from "./loss.ts";
import { emitBatchNorm } from "./normalisation.ts";
import { Pass, type PassOptions } from "./pass.ts";
import { emitGlobalMaxPool } from "./pooling.ts";
import { emitConcat, emitReshape, emitUpsample } from "./shaping.ts";

/**
 * Records one pass.
 *
 * @throws {OnednnError} When the library has no implementation for a layer.
 */
export function recordPass(options: PassOptions): Pass {
  const pass = new Pass(options);
  try {
    for (const layer of pass.layers) if (!pass.has(layer.id)) emit(pass, layer);
    for (const id of options.outputs) pass.result(id);
    if (options.mode === "train") {
      emitLoss(pass, options.network.spec.loss!);
      pass.goBack();
    }
  } catch (error) {
    pass.program.dispose();
    throw error;
  }
  return pass;
}

function emit(pass: Pass, layer: Layer): void {
  switch (layer.op) {
    case "input":
      return pass.define(layer.id, pass.feed(layer.id, pass.shape(layer.id)));
    case "gaussianDropout":
      return emitGaussianDropout(pass, layer);
    case "conv3d":
      return emitConvolution(pass, layer);
    case "elu":
    case "sigmoid":
      return emitActivation(pass, layer);
    case "batchNorm":
      return emitBatchNorm(pass, layer);
    case "globalMaxPool":
      return emitGlobalMaxPool(pass, layer);
    case "concat":
      return emitConcat(pass, layer);
    case "dense":
      return emitDense(pass, layer);
    case "upsample3d":
      return emitUpsample(pass, layer);
    case "reshape":
      return emitReshape(pass, layer);
  }
}
