/**
 * What was assumed, what was left out, and what it takes to do the run again.
 * @module
 */
import type { RunEvent, RunView } from "../../../streams/contract.ts";
import { manifestEntry, type ReportFacts, shortenPaths, withoutAbsolutePaths } from "./facts.ts";
import { formatCount, formatDuration, type Html, markup } from "./html.ts";

function list(view: RunView, events: readonly RunEvent[]): Html {
  return markup`<ul class="events">${
    events.map(({ stage, message }) => markup`<li><span><bdi>${stage}</bdi></span> ${shortenPaths(message, view)}</li>`)
  }</ul>`;
}

/** Assumptions, warnings and particles that were left out. */
export function eventsSection({ view }: ReportFacts): Html {
  const of = (type: RunEvent["type"]) => view.events.filter((event) => event.type === type);
  const notes = of("note"), warnings = of("warning"), drops = of("drop");
  return markup`<section id="assumed"><h2>What was assumed</h2>${
    notes.length > 0 ? list(view, notes) : markup`<p class="how">Nothing: every setting stands in the manifest.</p>`
  }</section>${
    warnings.length > 0 ? markup`<section id="warnings" class="warned"><h2>Warnings</h2>${list(view, warnings)}</section>` : null
  }${
    drops.length > 0
      ? markup`<section id="drops"><h2>What was left out</h2><div class="scroll"><table><thead><tr><th scope="col" class="n">particles</th><th scope="col">reason</th><th scope="col">stage</th></tr></thead><tbody>${
        drops.map(({ stage, message, count }) =>
          markup`<tr><td class="n">${count === undefined ? "–" : formatCount(count)}</td><td>${
            shortenPaths(message, view)
          }</td><td><bdi>${stage}</bdi></td></tr>`
        )
      }</tbody></table></div></section>`
      : null
  }`;
}

function timings(view: RunView): Html | null {
  const entries = Object.entries(view.timings);
  if (entries.length === 0) return null;
  const most = Math.max(...entries.map(([, seconds]) => seconds), 1e-9);
  return markup`<h3>Time</h3><table class="times"><tbody>${
    entries.map(([phase, seconds]) =>
      markup`<tr><th scope="row">${phase}</th><td class="n">${
        formatDuration(seconds)
      }</td><td><svg viewBox="0 0 200 10" preserveAspectRatio="none" aria-hidden="true"><rect class="time" width="${
        ((200 * seconds) / most).toFixed(1)
      }" height="10" /></svg></td></tr>`
    )
  }</tbody></table>`;
}

/** Engine, time and the resolved manifest. */
export function recordSection({ view }: ReportFacts): Html {
  const { engine } = view;
  const resolved = manifestEntry(view.manifest, "resolved") as { tomosieve?: unknown };
  const version = typeof resolved.tomosieve === "string" ? `tomosieve ${resolved.tomosieve}` : null;
  return markup`<section id="record"><h2>To do it again</h2>${
    engine
      ? markup`<p>Engine <b>${engine.name}</b> on ${engine.device}, ${engine.precision} (${shortenPaths(engine.reason, view)}).</p>`
      : markup`<p>No engine was needed.</p>`
  }${timings(view)}<details><summary>Resolved manifest${
    version ? `, ${version}` : ""
  }</summary><p class="how">Every option with its value, paths relative to the run folder; <code>manifest.json</code> in that folder runs the job again.</p><pre>${
    JSON.stringify(withoutAbsolutePaths(view.manifest, view.runDir), null, 2)
  }</pre></details></section>`;
}
