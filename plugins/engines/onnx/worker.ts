/**
 * The worker in which ONNX Runtime lives.
 * @module
 */
import { serveEngine } from "../serve_engine.ts";
import { type OnnxOptions, openOnnxEngine } from "./engine.ts";

serveEngine((options, host) => openOnnxEngine(options as OnnxOptions, host));
