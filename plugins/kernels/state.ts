/**
 * States within states: a learner's state holds those of its parts.
 * @module
 */
import type { State } from "../../streams/contract.ts";

/** Puts the states of parts into one, their keys behind `part/`. */
export function nestStates(own: State, parts: Readonly<Record<string, State>>): State {
  const values: Record<string, State["values"][string]> = { ...own.values };
  const arrays: Record<string, State["arrays"][string]> = { ...own.arrays };
  for (const [part, state] of Object.entries(parts)) {
    values[`${part}/`] = state.version;
    for (const [key, value] of Object.entries(state.values)) values[`${part}/${key}`] = value;
    for (const [key, array] of Object.entries(state.arrays)) arrays[`${part}/${key}`] = array;
  }
  return { version: own.version, values, arrays };
}

/** The state of one part, or null when it was not saved. */
export function partState(state: State, part: string): State | null {
  const prefix = `${part}/`;
  const version = state.values[prefix];
  if (typeof version !== "number") return null;
  const inside = <T>(entries: Readonly<Record<string, T>>) =>
    Object.fromEntries(
      Object.entries(entries).filter(([key]) => key.startsWith(prefix) && key !== prefix).map((
        [key, value],
      ) => [key.slice(prefix.length), value]),
    );
  return { version, values: inside(state.values), arrays: inside(state.arrays) };
}
