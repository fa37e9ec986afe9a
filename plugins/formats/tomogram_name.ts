/**
 * Names of one tomogram in different programs.
 * @module
 */
import { tomogramStem } from "./particle_set.ts";

/** A tomogram's name without what programs add to it: `rec_TS_01_10.00Apx_even.mrc` and `TS_01.tomostar` are both `TS_01`. */
export function bareTomogramName(name: string): string {
  return tomogramStem(name).replace(/^rec_/i, "").replace(/_(even|odd|evn|full|half_?\d)$/i, "").replace(/_\d+(\.\d+)?Apx$/i, "");
}

/** Values by the names that files give tomograms: by the exact name first, else by the bare one. Undefined where none or several fit. */
export function namedTomogram<T>(byName: ReadonlyMap<string, T>, id: string): T | undefined {
  const exact = byName.get(id);
  if (exact !== undefined) return exact;
  const wanted = bareTomogramName(id), found = [...byName].filter(([name]) => bareTomogramName(name) === wanted);
  return found.length === 1 ? found[0][1] : undefined;
}
