/**
 * The worker in which oneDNN lives.
 * @module
 */
import { serveEngine } from "../serve_engine.ts";
import { type OnednnOptions, openOnednnEngine } from "./engine.ts";

serveEngine((options, host) => openOnednnEngine(options as OnednnOptions, host));
