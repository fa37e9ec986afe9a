/**
 * HTML from templates in which every inserted value is escaped, and numbers as people read them.
 * @module
 */

/** Finished HTML: the only thing that a template inserts as it is. */
export class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** What a template takes: text and numbers are escaped, lists are joined, `null` and `false` vanish. */
export type Insertable = Html | string | number | null | undefined | false | readonly Insertable[];

/** Escapes text for element content and for attribute values in double quotes; characters that HTML forbids become U+FFFD. */
export function escapeHtml(text: string): string {
  return text
    // deno-lint-ignore no-control-regex
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g, "\ufffd")
    .replace(/[&<>"'`]/g, (character) => `&#${character.charCodeAt(0)};`);
}

function render(value: Insertable): string {
  if (value === null || value === undefined || value === false) return "";
  if (value instanceof Html) return value.text;
  if (typeof value === "string") return escapeHtml(value.toWellFormed());
  if (typeof value === "number") return String(value);
  return value.map(render).join("");
}

/** Builds HTML: markup`<p>${text}</p>`. */
export function markup(parts: TemplateStringsArray, ...values: readonly Insertable[]): Html {
  return new Html(parts.reduce((text, part, i) => text + (i > 0 ? render(values[i - 1]) : "") + part, ""));
}

const WHOLE = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/** `12,345`. */
export function formatCount(value: number): string {
  return WHOLE.format(value);
}

/** `1 class`, `2 classes`. */
export function formatNoun(count: number, one: string, many: string = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** A share of one as per cent: `12 %`, `0.4 %`; number and sign stay on one line. */
export function formatShare(share: number): string {
  if (!Number.isFinite(share)) return "–";
  const percent = 100 * share;
  return `${percent > 0 && percent < 9.95 ? percent.toFixed(1) : percent.toFixed(0)}\u00a0%`;
}

/** A figure with up to `digits` significant digits, thousands grouped; a dash for what is not a number. */
export function formatFigure(value: number | null | undefined, digits = 3): string {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e12)) return value.toExponential(digits - 1).replace("-", "−").replace("e-", "e−");
  if (Number.isInteger(value) || size >= Math.min(1e4, 10 ** digits)) return WHOLE.format(value).replace("-", "−");
  return String(Number(value.toPrecision(digits))).replace("-", "−");
}

/** A length as people of the field give it: `13.5 Å`, `27 nm`, `1.2 µm`. */
export function formatLength(angstrom: number): string {
  if (angstrom < 30) return `${formatFigure(angstrom)}\u00a0Å`;
  return angstrom < 10000 ? `${formatFigure(angstrom / 10, 2)}\u00a0nm` : `${formatFigure(angstrom / 10000, 2)}\u00a0µm`;
}

/** `3.2 s`, `4 min 12 s`, `2 h 5 min`. */
export function formatDuration(seconds: number): string {
  if (seconds < 60) return `${formatFigure(seconds, 2)} s`;
  const whole = Math.round(seconds);
  return whole < 3600
    ? `${Math.floor(whole / 60)} min ${whole % 60} s`
    : `${Math.floor(whole / 3600)} h ${Math.round((whole % 3600) / 60)} min`;
}

const UNITS: Readonly<Record<string, string>> = { Angstrom: "Å", Voxels: "voxels", Degrees: "degrees", Seconds: "s", PerAngstrom: "1/Å" };

/** A name of the code as people read it: `resolutionAngstrom` becomes `resolution (Å)`; names with blanks stay. */
export function formatName(name: string): string {
  if (!/^[a-z][A-Za-z0-9]*$/.test(name)) return name;
  const unit = Object.keys(UNITS).sort((a, b) => b.length - a.length).find((ending) =>
    name.endsWith(ending) && name.length > ending.length
  );
  const words = (unit ? name.slice(0, -unit.length) : name).replace(/([a-z0-9])([A-Z])/g, "$1 $2").replace(
    /\b[A-Z](?=[a-z])/g,
    (letter) => letter.toLowerCase(),
  );
  return unit ? `${words} (${UNITS[unit]})` : words;
}
