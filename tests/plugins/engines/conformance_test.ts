import decoder from "../../../plugins/decoders/conv_decoder.ts";
import yopo from "../../../plugins/embedders/yopo.ts";
import auto from "../../../plugins/engines/auto.ts";
import onnx from "../../../plugins/engines/onnx/mod.ts";
import { checkPlugin } from "../../../streams/check_plugin.ts";
import { openOnnx } from "./context.ts";

/** Room for a busy machine: each call is a second's work at most. */
const timeoutMs = 60_000;

Deno.test("`onnx` conforms", async () => await checkPlugin(onnx, { options: { threads: 1 }, timeoutMs }));
Deno.test("`auto` conforms", async () => await checkPlugin(auto, { options: { threads: 1 }, timeoutMs }));
Deno.test("`yopo` conforms", async () => {
  await using engine = await openOnnx();
  await checkPlugin(yopo, { options: { width: 0.0625, headMinimumSteps: 0 }, engine, boxVoxels: 12, timeoutMs });
});
Deno.test("`conv-decoder` conforms", async () => {
  await using engine = await openOnnx();
  await checkPlugin(decoder, { options: { steps: 3, channels: 2 }, engine, boxVoxels: 12, timeoutMs });
});
