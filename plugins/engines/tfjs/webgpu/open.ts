/**
 * The backend `webgpu`: graphics processors through Deno's own WebGPU.
 * @module
 */
import { RunError } from "../../../../streams/errors.ts";
import type { Backend } from "../backend.ts";
import { BACKEND, registerKernels, webgpuKernels, webgpuNadam } from "./kernels.ts";
import { NEEDS_F16 } from "./program.ts";

/** Rows of one pass at inference. */
const INFERENCE_ROWS = 16;

/** How to take an adapter. */
export interface WebgpuOptions {
  /** Take an adapter that is a program on the processor (Mesa's llvmpipe, SwiftShader): right, and slow. */
  readonly allowSoftware: boolean;
  /** Of the products in convolutions; everything else is float32. */
  readonly precision: "float32" | "float16";
}

/**
 * Starts the backend on the most powerful adapter, with all the limits that it offers.
 *
 * @throws {RunError} When there is no adapter, or only one in software that was not asked for.
 */
export async function openWebgpu({ allowSoftware, precision }: WebgpuOptions): Promise<Backend> {
  const adapter = await findAdapter();
  if (adapter.info.isFallbackAdapter && !allowSoftware) {
    throw new RunError(
      `the only WebGPU adapter is a program on the processor (${adapter.info.description}), slower than engine "onnx": ` +
        `install the graphics processor's Vulkan driver, or set "allowSoftware": true to take it all the same`,
    );
  }
  const half = precision === "float16";
  if (half && !adapter.features.has("shader-f16")) {
    throw new RunError(`this graphics processor (${adapter.info.description}) has no 16-bit arithmetic: set "precision": "float32"`);
  }
  const { limits } = adapter;
  const { maxStorageBufferBindingSize, maxBufferSize } = limits;
  const device = await adapter.requestDevice({
    requiredFeatures: half ? ["shader-f16"] : [],
    requiredLimits: {
      maxStorageBufferBindingSize,
      maxBufferSize,
      maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
      maxComputeWorkgroupsPerDimension: limits.maxComputeWorkgroupsPerDimension,
      maxComputeWorkgroupSizeX: limits.maxComputeWorkgroupSizeX,
      maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
    },
  });
  if (half) enableHalf(device);
  const tf = await import("@tensorflow/tfjs-core");
  const { WebGPUBackend } = await import("@tensorflow/tfjs-backend-webgpu");
  tf.removeBackend(BACKEND);
  tf.registerBackend(BACKEND, () => new WebGPUBackend(device as never, adapter.info as never));
  await tf.setBackend(BACKEND);
  await tf.ready();
  registerKernels(tf, half);
  // Small tensors would otherwise be computed in JavaScript, and waited for.
  tf.env().set("WEBGPU_CPU_FORWARD", false);
  return {
    ...{ tf, kernels: webgpuKernels(tf), device: "gpu", precision, inferenceRows: INFERENCE_ROWS },
    largestTensorBytes: Math.min(maxStorageBufferBindingSize, maxBufferSize),
    nadam: webgpuNadam(tf),
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

/** The backend writes the beginning of every program; the line that turns 16-bit numbers on must stand before it. */
function enableHalf(device: GPUDevice): void {
  const create = device.createShaderModule.bind(device);
  device.createShaderModule = (module) =>
    create(module.code.includes(NEEDS_F16) ? { ...module, code: `enable f16;\n${module.code}` } : module);
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
