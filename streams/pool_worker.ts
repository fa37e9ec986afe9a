/**
 * The body of a pool worker: imports the named module once, calls the named export, sends the result back.
 * @module
 */
/// <reference lib="deno.worker" />

interface Task {
  readonly id: number;
  readonly module: string;
  readonly exportName: string;
  readonly args: readonly unknown[];
}

const scope = self as unknown as DedicatedWorkerGlobalScope;
const modules = new Map<string, Record<string, unknown>>();

scope.onmessage = async ({ data }: MessageEvent<Task>) => {
  try {
    let module = modules.get(data.module);
    if (!module) {
      module = await import(data.module) as Record<string, unknown>;
      modules.set(data.module, module);
    }
    const call = module[data.exportName];
    if (typeof call !== "function") throw new TypeError(`${data.module} has no function "${data.exportName}"`);
    const result = await call(...data.args);
    scope.postMessage({ id: data.id, result }, transferable(result));
  } catch (error) {
    const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
    scope.postMessage({ id: data.id, error: { name, message, stack } });
  }
};

/** Buffers of typed arrays in a result, two levels deep, each once; shared memory stays where it is, and so does WebAssembly's. */
function transferable(result: unknown): ArrayBuffer[] {
  const found = new Set<ArrayBuffer>();
  const look = (value: unknown, depth: number) => {
    if (ArrayBuffer.isView(value)) {
      // A view of a part of a larger buffer (a WebAssembly memory) is copied instead.
      if (value.buffer instanceof ArrayBuffer && value.byteLength === value.buffer.byteLength) found.add(value.buffer);
    } else if (depth > 0 && value !== null && typeof value === "object") {
      for (const inner of Object.values(value)) look(inner, depth - 1);
    }
  };
  look(result, 2);
  return [...found];
}
