/**
 * XML as the field's programs write it: elements, attributes, text. No namespaces, no entities beyond the five and numbers, no DTD.
 * @module
 */
import { InputError } from "../../streams/errors.ts";

/** An element. */
export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly XmlElement[];
  /** The text directly inside, joined and trimmed. */
  readonly text: string;
}

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

function unescape(text: string): string {
  return text.replaceAll(/&(#x?[\da-f]+|\w+);/gi, (whole, name: string) => {
    if (!name.startsWith("#")) return ENTITIES[name] ?? whole;
    const code = /^#x/i.test(name) ? parseInt(name.slice(2), 16) : Number(name.slice(1));
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}

/** Text as it must stand in an attribute or between tags. */
export function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

interface Open {
  readonly name: string;
  readonly attributes: Record<string, string>;
  readonly children: XmlElement[];
  text: string;
}

const ATTRIBUTE = /([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g;

/**
 * The root element of XML text.
 * @throws {InputError} With the line, when tags do not close or there is no element.
 */
export function parseXml(text: string, path: string): XmlElement {
  const stack: Open[] = [];
  let root: XmlElement | null = null, at = 0;
  const fail = (where: number, message: string): never => {
    throw new InputError(path, `line ${text.slice(0, where).split("\n").length}: ${message}`);
  };
  const skip = (opening: string, closing: string) => {
    if (!text.startsWith(opening, at)) return false;
    const end = text.indexOf(closing, at + opening.length);
    if (end < 0) fail(at, `${opening} is never closed`);
    at = end + closing.length;
    return true;
  };
  const close = (open: Open) => {
    const element = { ...open, text: unescape(open.text).trim() };
    const parent = stack.at(-1);
    if (parent) parent.children.push(element);
    else root ??= element;
  };
  while (at < text.length) {
    const next = text.indexOf("<", at);
    const words = text.slice(at, next < 0 ? text.length : next);
    const inside = stack.at(-1);
    if (inside) inside.text += words;
    else if (words.replace(/^\ufeff/, "").trim() !== "") {
      fail(at, `unexpected ${JSON.stringify(words.trim().slice(0, 40))} outside the root element`);
    }
    if (next < 0) break;
    at = next;
    if (skip("<!--", "-->") || skip("<?", "?>") || skip("<!", ">")) continue;
    const end = text.indexOf(">", at);
    if (end < 0) fail(at, "a tag is never closed");
    const tag = text.slice(at + 1, end);
    if (tag.startsWith("/")) {
      const open = stack.pop();
      if (!open || open.name !== tag.slice(1).trim()) {
        fail(at, `</${tag.slice(1).trim()}> closes nothing: ${open ? `<${open.name}> is open` : "no element is open"}`);
      }
      close(open!);
    } else {
      const name = /^[\w:.-]+/.exec(tag)?.[0] ?? fail(at, `${JSON.stringify(`<${tag.slice(0, 20)}`)} is no tag`);
      const attributes: Record<string, string> = {};
      for (const [, key, double, single] of tag.slice(name.length).matchAll(ATTRIBUTE)) attributes[key] = unescape(double ?? single);
      const open: Open = { name, attributes, children: [], text: "" };
      if (tag.endsWith("/")) close(open);
      else stack.push(open);
    }
    at = end + 1;
  }
  if (stack.length > 0) fail(text.length, `<${stack.at(-1)!.name}> is never closed: is the file cut short?`);
  return root ?? fail(0, "no element: is this XML?");
}
