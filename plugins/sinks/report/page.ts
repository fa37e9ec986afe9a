/**
 * The whole page: sections, style sheet, and a policy that lets a browser load nothing else.
 * @module
 */
import { createHash } from "node:crypto";
import { courseSection, tablesSection } from "./course_section.ts";
import type { ReportFacts } from "./facts.ts";
import { classFilter, filterRules, findingOf, headline, subjectOf } from "./headline.ts";
import { Html, markup } from "./html.ts";
import { eventsSection, recordSection } from "./record_section.ts";
import { STYLE } from "./style.ts";
import { truthSection } from "./truth_section.ts";

/** Sections that need files or heavy numbers, made beforehand. */
export interface PageParts {
  readonly tomograms: Html | null;
  readonly classes: Html | null;
  readonly map: Html | null;
}

/**
 * Puts the report together: one HTML file that holds everything it shows. No script, no request: the content security policy allows
 * pictures inside the file and the one style sheet whose hash it names.
 */
export function composePage(facts: ReportFacts, parts: PageParts): string {
  const style = `${STYLE}${filterRules(facts)}\n`;
  const hash = createHash("sha256").update(style).digest("base64");
  const policy = `default-src 'none'; img-src data:; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'`;
  const name = subjectOf(facts);
  const page =
    markup`<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${new Html(
      policy,
    )}"><meta name="viewport" content="width=device-width,initial-scale=1"><meta name="referrer" content="no-referrer"><link rel="icon" href="data:,"><title>${
      findingOf(facts)
    }${name === null ? null : ` · ${name}`}</title><style>${new Html(style)}</style></head><body>${headline(facts, name)}${
      classFilter(facts)
    }<main>${parts.tomograms}${parts.classes}${truthSection(facts)}${parts.map}${courseSection(facts)}${tablesSection(facts)}${
      eventsSection(facts)
    }${recordSection(facts)}</main><footer>Made by tomosieve from the run folder alone; this file needs no network.</footer></body></html>`;
  return page.text;
}
