import assert from "node:assert/strict";
import tfjs from "../../plugins/engines/tfjs/mod.ts";
import { createContext } from "../plugins/engines/context.ts";
import { parityTests } from "../plugins/engines/parity.ts";

Deno.test("there is a WebGPU adapter to prove the backend on", async () => {
  assert.ok(await navigator.gpu.requestAdapter(), "none: apt-get install mesa-vulkan-drivers");
});
const options = tfjs.options.parse({ backend: "webgpu", allowSoftware: true });
parityTests("tfjs on webgpu", async () => await tfjs.create(options, createContext(), {}));

/** Folder of a tfjs-node or tfjs-node-gpu with its addon: docs/tensorflow.md says how to build one. */
const folder = Deno.env.get("TOMOSIEVE_TFJS_NODE");
if (folder) {
  const options = tfjs.options.parse({ backend: "tensorflow", package: folder });
  parityTests("tfjs on tensorflow", async () => await tfjs.create(options, createContext(), {}));
} else {
  Deno.test({ name: "tfjs on tensorflow: TOMOSIEVE_TFJS_NODE names no package, see docs/tensorflow.md", ignore: true, fn() {} });
}
