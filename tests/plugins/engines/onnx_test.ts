import { openOnnx } from "./context.ts";
import { parityTests } from "./parity.ts";

parityTests("onnx", () => openOnnx());
