/**
 * What a call of the library answered.
 * @module
 */
import type { Pointer } from "./makers.ts";

/** `dnnl_status_t`. */
const STATUS: Readonly<Record<number, string>> = {
  1: "out of memory",
  2: "invalid arguments",
  3: "not implemented for this processor or these shapes",
  4: "no further implementation",
  5: "runtime error",
  6: "not required",
};

/** oneDNN refused a call. */
export class OnednnError extends Error {
  override readonly name = "OnednnError";
}

/** @throws {OnednnError} When a status is not success. */
export function check(status: number, what: string): void {
  if (status !== 0) throw new OnednnError(`oneDNN: ${what}: ${STATUS[status] ?? `status ${status}`}`);
}

/** Calls a function that writes a pointer into the buffer it is given. */
export function made(what: string, make: (out: BigUint64Array<ArrayBuffer>) => number): Pointer {
  const out = new BigUint64Array(1);
  check(make(out), what);
  return Deno.UnsafePointer.create(out[0])!;
}
