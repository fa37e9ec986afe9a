/**
 * The backend `webgpu`: graphics processors through Deno's own WebGPU.
 * @module
 */
import { RunError } from "../../../streams/errors.ts";
import { type Backend, plainNadam } from "./backend.ts";
import { plainKernels } from "./kernels.ts";

/** Rows of one pass at inference. */
const INFERENCE_ROWS = 16;

/** How to take an adapter. */
export interface WebgpuOptions {
  /** Take an adapter that is a program on the processor (Mesa's llvmpipe, SwiftShader): right, and slow. */
  readonly allowSoftware: boolean;
}

/**
 * Starts the backend on the most powerful adapter, with all the limits that it offers.
 *
 * @throws {RunError} When there is no adapter, or only one in software that was not asked for.
 */
export async function openWebgpu({ allowSoftware }: WebgpuOptions): Promise<Backend> {
  const adapter = await findAdapter();
  if (adapter.info.isFallbackAdapter && !allowSoftware) {
    throw new RunError(
      `the only WebGPU adapter is a program on the processor (${adapter.info.description}), slower than engine "onnx": ` +
        `install the graphics processor's Vulkan driver, or set "allowSoftware": true to take it all the same`,
    );
  }
  const { limits } = adapter;
  const { maxStorageBufferBindingSize, maxBufferSize } = limits;
  const device = await adapter.requestDevice({
    requiredLimits: {
      maxStorageBufferBindingSize,
      maxBufferSize,
      maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
      maxComputeWorkgroupsPerDimension: limits.maxComputeWorkgroupsPerDimension,
      maxComputeWorkgroupSizeX: limits.maxComputeWorkgroupSizeX,
      maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
    },
  });
  const tf = await import("@tensorflow/tfjs-core");
  const { WebGPUBackend } = await import("@tensorflow/tfjs-backend-webgpu");
  const name = "webgpu";
  tf.removeBackend(name);
  tf.registerBackend(name, () => new WebGPUBackend(device as never, adapter.info as never));
  await tf.setBackend(name);
  await tf.ready();
  // Small tensors would otherwise be computed in JavaScript, and waited for.
  tf.env().set("WEBGPU_CPU_FORWARD", false);
  return {
    ...{ tf, kernels: plainKernels(tf), device: "gpu", precision: "float32", inferenceRows: INFERENCE_ROWS },
    largestTensorBytes: Math.min(maxStorageBufferBindingSize, maxBufferSize),
    nadam: plainNadam(tf),
    guard: watch(device),
  };
}

async function findAdapter(): Promise<GPUAdapter> {
  let adapter: GPUAdapter | null;
  try {
    adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
  } catch (error) {
    throw new RunError(`WebGPU does not start here: ${error instanceof Error ? error.message : error}`);
  }
  if (!adapter) {
    throw new RunError(
      "there is no WebGPU adapter: install the graphics processor's driver with Vulkan (on Debian: mesa-vulkan-drivers, or NVIDIA's nvidia-driver-libs)",
    );
  }
  return adapter;
}

/** WebGPU reports most faults beside the calls that made them: they are collected, and the work that they belong to fails. */
function watch(device: GPUDevice): Backend["guard"] {
  let fault: string | null = null;
  device.addEventListener("uncapturederror", (event) => {
    event.preventDefault();
    fault ??= (event as GPUUncapturedErrorEvent).error.message;
  });
  device.lost.then(({ message, reason }) => {
    if (reason !== "destroyed") fault ??= `the device was lost: ${message}`;
  });
  return async (work) => {
    try {
      const result = await work();
      if (fault === null) return result;
    } catch (error) {
      if (fault === null) throw error;
    }
    const said = String(fault).split("\n")[0];
    fault = null;
    const remedy = /memory/i.test(said) ? ': use smaller batches, a narrower network, or engine "onnx"' : "";
    throw new RunError(`the graphics processor failed: ${said}${remedy}`);
  };
}
