/**
 * The first screen of the report: what was found, in one sentence and a few figures.
 * @module
 */
import { iterationNumber, manifestEntry, type ReportFacts } from "./facts.ts";
import { formatCount, formatFigure, formatNoun, formatShare, type Html, markup } from "./html.ts";
import { classMarker, joinHtml, markerPath, short } from "./marks.ts";

/** The finding in a few words. */
export function findingOf({ view, classes }: ReportFacts): string {
  const particles = formatNoun(view.particles.count, "particle");
  if (view.particles.count === 0) return "No particles";
  if (classes.length === 1 && view.verb === "run") return "No structure found";
  return view.verb === "run"
    ? `${formatNoun(classes.length, "class", "classes")} among ${particles}`
    : `${particles} sorted into ${formatNoun(classes.length, "known class", "known classes")}`;
}

/** What the report is about, by the names of the tomograms: the folder's own name may change. */
export function subjectOf({ view }: ReportFacts): string | null {
  if (view.tomograms.length === 0) return null;
  const others = view.tomograms.length - 1;
  return others === 0 ? view.tomograms[0].id : `${view.tomograms[0].id} and ${formatNoun(others, "other")}`;
}

function sentences({ view, classes, inTomograms }: ReportFacts): Html {
  const learn = manifestEntry(view.manifest, "learn");
  const recipe = learn.options?.recipe;
  const where = inTomograms ? `in ${formatNoun(view.tomograms.length, "tomogram")}` : "in one stack of boxes";
  if (view.particles.count === 0) return markup`<p class="lead">Nothing was picked ${where}. The warnings below may say why.</p>`;
  const by = typeof learn.use === "string"
    ? markup` by <code>${learn.use}</code>${typeof recipe === "string" ? ` (recipe “${recipe}”)` : null}`
    : null;
  if (classes.length === 1 && view.verb === "run") {
    return markup`<p class="lead">The ${formatCount(view.particles.count)} particles ${where} look alike${
      by ? markup` to the model learnt${by}` : null
    }: no division into two or more classes explained them better than one. That is a result, not a failure; too few particles, too much noise or a wrong particle diameter give it too.</p>`;
  }
  const largest = classes.toSorted((a, b) => b.members.length - a.members.length)[0];
  const engine = view.engine ? `, with engine ${view.engine.name} (${view.engine.device}, ${view.engine.precision})` : null;
  const how = view.verb === "run" ? markup`were sorted without labels${by}` : markup`were sorted with a model that had been trained before`;
  return markup`<p class="lead">Particles ${where} ${how}${engine}. The largest class, ${largest.id}, holds ${
    formatShare(largest.share)
  } of them.</p>`;
}

function fact(name: string, value: Html | string, hint?: string): Html {
  return markup`<div><dt>${name}</dt><dd>${value}${hint ? markup` <small>${hint}</small>` : null}</dd></div>`;
}

function figures(facts: ReportFacts): Html {
  const { view, classes, inTomograms } = facts;
  const kept = view.iterations.find((row, i) => iterationNumber(row, i) === view.keptIteration);
  const falseShare = view.particles.columns.falseShare?.map(Number).filter(Number.isFinite) ?? [];
  const novel = view.particles.novel.reduce((sum, each) => sum + each, 0);
  const agreement = typeof kept?.agreement === "number" ? kept.agreement : null;
  const refined = view.iterations.filter((row, i) =>
    iterationNumber(row, i) <= view.keptIteration && typeof row.refineStability === "number"
  );
  const confidence = refined.at(-1)?.refineConfidence as number | undefined ?? null;
  return markup`<dl class="facts">${
    fact(
      "Particles",
      formatCount(view.particles.count),
      inTomograms ? `in ${formatNoun(view.tomograms.length, "tomogram")}` : "in one stack",
    )
  }${fact("Classes", formatCount(classes.length))}${
    falseShare.length > 0
      ? fact(
        "False by chance",
        formatShare(falseShare.reduce((sum, each) => sum + each, 0) / falseShare.length),
        "of the particles, estimated by picking in copies with random phases",
      )
      : null
  }${view.truth?.metrics.ari != null ? fact("Adjusted Rand index", formatFigure(view.truth.metrics.ari), "against the truth") : null}${
    agreement !== null
      ? fact("Rotation agreement", formatFigure(agreement), "of labels when boxes are turned: 1 is the same, 0 is chance")
      : null
  }${
    confidence !== null
      ? fact("Refinement confidence", formatFigure(confidence), "probability of a box's class when averages are made without it")
      : null
  }${
    view.iterations.length > 0
      ? fact(
        "Iterations",
        formatCount(view.iterations.length),
        `${view.converged ? "converged" : "stopped at the maximum"}; kept no. ${view.keptIteration}`,
      )
      : null
  }${facts.judgesNovelty ? fact("Novel", formatCount(novel), "unlike anything learnt from") : null}</dl>`;
}

/** Bar of the classes' shares, in per cent of the page's width; the widest carry their names. */
function shares({ classes, view }: ReportFacts): Html | null {
  if (classes.length < 2) return null;
  let at = 0;
  const parts = classes.map(({ id, style, share, members }) => {
    const x = at, w = 100 * share;
    at += w;
    const name = w > 2.4
      ? markup`<svg x="50%" overflow="visible">${w > 4 ? markup`<path d="${markerPath(style.shape, 0, 14, 5)}"/>` : null}<text y="${
        w > 4 ? 36 : 27
      }" text-anchor="middle">${id}</text></svg>`
      : null;
    return markup`<svg x="${short(x, 3)}%" width="${short(w, 3)}%" height="100%" data-c="${id}"><title>class ${id}: ${
      formatNoun(members.length, "particle")
    }, ${
      formatShare(
        share,
      )
    }</title><rect width="100%" height="100%" fill="${style.colour}"/>${name}</svg>`;
  });
  return markup`<svg class="shares" width="100%" height="44" role="img" aria-label="Share of each class among ${
    formatNoun(view.particles.count, "particle")
  }">${joinHtml(parts)}</svg>`;
}

/** The head of the page. `name` is {@linkcode subjectOf} the report. */
export function headline(facts: ReportFacts, name: string | null): Html {
  return markup`<header class="top"><p class="over"><span>tomosieve</span>${name === null ? null : markup` <bdi>${name}</bdi>`}</p><h1>${
    findingOf(facts)
  }</h1>${sentences(facts)}${shares(facts)}${figures(facts)}</header>`;
}

/** A bar that dims all classes but one, by radio buttons and style rules alone. */
export function classFilter({ classes }: ReportFacts): Html | null {
  if (classes.length < 2) return null;
  return markup`<fieldset class="filter"><legend>Show</legend><label><input type="radio" name="show" id="show-all" checked> all</label>${
    classes.map((
      { id, style },
    ) => markup`<label><input type="radio" name="show" id="show-${id}"> ${classMarker(style)} ${id}</label>`)
  }</fieldset>`;
}

/** Style rules of the filter bar: everything that belongs to another class steps back. */
export function filterRules({ classes }: ReportFacts): string {
  return classes.map(({ id }) => `body:has(#show-${id}:checked) [data-c]:not([data-c="${id}"]){opacity:.1}`).join("\n");
}
