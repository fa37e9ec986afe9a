/**
 * The worker in which TensorFlow.js lives.
 * @module
 */
import { serveEngine } from "../serve_engine.ts";
import { openTfjsEngine, type TfjsOptions } from "./engine.ts";

serveEngine((options, host) => openTfjsEngine(options as TfjsOptions, host));
