/**
 * Finds the oneDNN shared library and learns which interface it has.
 * @module
 */
import { RunError } from "../../../streams/errors.ts";
import { symbolsOf2, symbolsOf3, versionSymbols } from "./symbols.ts";

/** What the dynamic loader is asked for when no path is given, in this order. */
const NAMES: Readonly<Partial<Record<typeof Deno.build.os, readonly string[]>>> = {
  linux: ["libdnnl.so.3", "libdnnl.so.2", "libdnnl.so"],
  darwin: [
    ...["libdnnl.3.dylib", "libdnnl.2.dylib", "libdnnl.dylib"],
    ...["/opt/homebrew/lib/libdnnl.3.dylib", "/opt/homebrew/lib/libdnnl.dylib", "/usr/local/lib/libdnnl.dylib"],
  ],
  windows: ["dnnl.dll"],
};

/** How oneDNN was built to use threads (`dnnl_runtime`). Builds for SYCL or a program's own pool need objects that only C++ can hand over. */
const RUNTIMES: Readonly<Record<number, string>> = { 1: "one thread", 2: "OpenMP", 4: "TBB" };
const OTHER_RUNTIMES: Readonly<Record<number, string>> = { 8: "a program's own threads", 256: "OpenCL", 512: "SYCL" };

/** An open library. */
export type OnednnLibrary =
  & { readonly path: string; readonly version: string; readonly threading: string; close(): void }
  & (
    | { readonly major: 2; readonly symbols: Deno.DynamicLibrary<typeof symbolsOf2>["symbols"] }
    | { readonly major: 3; readonly symbols: Deno.DynamicLibrary<typeof symbolsOf3>["symbols"] }
  );

/**
 * Opens the library at `path`, or the first of its usual names that the system's loader finds.
 *
 * @throws {RunError} When there is none, or none of a version or build that the engine can use; the message has the reasons and how to get one.
 */
export function openLibrary(path?: string): OnednnLibrary {
  const names = path === undefined ? NAMES[Deno.build.os] ?? NAMES.linux! : [path];
  const refused: string[] = [];
  for (const name of names) {
    try {
      return open(name);
    } catch (error) {
      if (error instanceof Deno.errors.NotCapable) throw error;
      const message = error instanceof Error ? error.message : String(error);
      // What is merely absent needs no word for each of its names.
      if (error instanceof RunError || path !== undefined) refused.push(`${name}: ${message}`);
    }
  }
  const found = refused.length > 0 ? refused.join("; ") : `none of ${names.join(", ")} was found`;
  throw new RunError(
    `the oneDNN library does not load: ${found}: install it (Debian, Ubuntu: libdnnl2 or libdnnl3; Homebrew: onednn; PyPI: onednn-cpu-gomp) ` +
      `or name the file by the option "library"`,
  );
}

/** What says how OpenMP's threads wait. */
const WAITING = ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"] as const;

/**
 * Loads a library while OpenMP is told that waiting threads sleep, unless the user has said how they should wait: spinning ones took twice the
 * processor time on a busy machine. OpenMP reads this once, when it is loaded.
 */
function open(name: string): OnednnLibrary {
  if (WAITING.some((variable) => Deno.env.has(variable))) return load(name);
  Deno.env.set("OMP_WAIT_POLICY", "passive");
  try {
    return load(name);
  } finally {
    Deno.env.delete("OMP_WAIT_POLICY");
  }
}

function load(name: string): OnednnLibrary {
  const probe = Deno.dlopen(name, versionSymbols);
  const view = new Deno.UnsafePointerView(probe.symbols.dnnl_version()!);
  const [major, minor, patch, runtime] = [view.getInt32(0), view.getInt32(4), view.getInt32(8), view.getUint32(24)];
  const version = `${major}.${minor}.${patch}`;
  const threading = RUNTIMES[runtime];
  let fault = "";
  if (major !== 2 && major !== 3) fault = `it is oneDNN ${version}, and this engine knows 2 (from 2.6 on) and 3`;
  else if (major === 2 && minor < 6) fault = `it is oneDNN ${version}, and this engine needs 2.6 at least`;
  else if (!threading) {
    fault = `this oneDNN ${version} was built for ${OTHER_RUNTIMES[runtime] ?? `runtime ${runtime}`}: take a build for OpenMP or TBB`;
  }
  if (fault) {
    probe.close();
    throw new RunError(fault);
  }
  const facts = { path: name, version, threading };
  const close = (library: { close(): void }) => () => {
    library.close();
    probe.close();
  };
  if (major === 2) {
    const library = Deno.dlopen(name, symbolsOf2);
    return { ...facts, major, symbols: library.symbols, close: close(library) };
  }
  const library = Deno.dlopen(name, symbolsOf3);
  return { ...facts, major: 3, symbols: library.symbols, close: close(library) };
}
