/**
 * The backend `cpu`: TensorFlow.js in plain JavaScript. Slow; it is there to compare with.
 * @module
 */
import { type Backend, plainNadam, unguarded } from "./backend.ts";
import { plainKernels } from "./kernels.ts";

/** Rows of one pass; its loops treat each row by itself, so that their number changes no result. */
const ROWS = 8;

/** Starts the backend. */
export async function openCpu(): Promise<Backend> {
  const tf = await import("@tensorflow/tfjs-core");
  await import("@tensorflow/tfjs-backend-cpu");
  await tf.setBackend("cpu");
  const kernels = plainKernels(tf);
  return {
    ...{ tf, kernels, device: "cpu", precision: "float32", inferenceRows: ROWS, largestTensorBytes: Infinity },
    ...{ nadam: plainNadam(tf), guard: unguarded },
  };
}
