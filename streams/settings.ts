/**
 * Words of the command line that stand in for a manifest's: `--set stages[0].options.volume=corrected`.
 * @module
 */

/**
 * Puts `settings` (`PATH=VALUE`; VALUE is JSON, or a text where it is not JSON) into the manifest `root`, whose records they make where there are none.
 *
 * @returns What is wrong with them, one text each; the others are in `root` then.
 */
export function applySettings(root: Record<string, unknown>, settings: readonly string[]): string[] {
  return settings.flatMap((setting) => {
    const fault = applySetting(root, setting);
    return fault === null ? [] : [`--set ${setting}: ${fault}`];
  });
}

function applySetting(root: Record<string, unknown>, setting: string): string | null {
  const equals = setting.indexOf("=");
  const keys = equals < 0 ? null : keysOf(setting.slice(0, equals));
  if (keys === null) return `expected PATH=VALUE as in "source.options.tiltRangeDegrees=[-50, 50]" or "stages[0].options.volume=corrected"`;
  let at: unknown = root;
  for (const [depth, key] of keys.entries()) {
    const path = keys.slice(0, depth).join(".") || "the manifest";
    if (typeof key === "number") {
      if (!Array.isArray(at)) return `${path} is no list`;
      if (key >= at.length) return `${path} has ${at.length} entries, the first is [0]`;
    } else if (at === null || typeof at !== "object" || Array.isArray(at)) return `${path} has no keys`;
    const record = at as Record<string | number, unknown>;
    if (depth === keys.length - 1) Object.defineProperty(record, key, { ...PLAIN, value: valueOf(setting.slice(equals + 1)) });
    else if (!Object.hasOwn(record, key)) Object.defineProperty(record, key, { ...PLAIN, value: {} });
    at = record[key];
  }
  return null;
}

const PLAIN = { enumerable: true, configurable: true, writable: true };

/** `stages[0].options.volume` as keys and indices; `null` when it is no path. */
function keysOf(path: string): (string | number)[] | null {
  if (!/^[\w$-]+(\[\d+\]|\.[\w$-]+)*$/.test(path)) return null;
  return [...path.matchAll(/\[(\d+)\]|[\w$-]+/g)].map(([key, index]) => index === undefined ? key : Number(index));
}

function valueOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
