/**
 * Finds the name that a user probably meant.
 * @module
 */

/** Edits (insert, delete, replace, swap of neighbours) that turn `a` into `b`. */
function editDistance(a: string, b: string): number {
  const rows = Array.from({ length: a.length + 1 }, () => new Array<number>(b.length + 1).fill(0));
  for (let i = 0; i <= a.length; i++) rows[i][0] = i;
  for (let j = 0; j <= b.length; j++) rows[0][j] = j;
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const replaced = rows[i - 1][j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      rows[i][j] = Math.min(replaced, rows[i - 1][j] + 1, rows[i][j - 1] + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) rows[i][j] = Math.min(rows[i][j], rows[i - 2][j - 2] + 1);
    }
  }
  return rows[a.length][b.length];
}

/**
 * Finds the candidate nearest to `name`: a third of its letters may differ, case counts for nothing, and a name that only lacks its
 * unit (`particleDiameter`) finds its longer form.
 *
 * @returns The first of the nearest candidates, or `null` when none is near.
 */
export function nearestName(name: string, candidates: Iterable<string>): string | null {
  const wanted = name.toLowerCase();
  let best: string | null = null;
  let bestDistance = Math.max(1, Math.floor(wanted.length / 3)) + 0.5;
  for (const candidate of candidates) {
    const other = candidate.toLowerCase();
    const prefix = wanted.length >= 4 && (other.startsWith(wanted) || (other.length >= 4 && wanted.startsWith(other)));
    const distance = Math.min(editDistance(wanted, other), prefix ? 1.25 : Infinity);
    if (distance < bestDistance) {
      bestDistance = distance;
      best = candidate;
    }
  }
  return best;
}

/** `did you mean "x"?`, or the list of what there is. `what` names the candidates: `the source plugins`. */
export function suggestName(name: string, candidates: readonly string[], what: string): string {
  const near = nearestName(name, candidates);
  if (near !== null) return `did you mean "${near}"?`;
  if (candidates.length === 0) return `${what}: none`;
  return `${what}: ${candidates.map((candidate) => `"${candidate}"`).join(", ")}`;
}
