/**
 * One-to-one matching of two sets of points that lie near each other: picks and true centres.
 * @module
 */
import { ShapeError } from "../../streams/errors.ts";

/** Candidate pairs as adjacency lists: those of left node i stand at `start[i] <= e < start[i + 1]`. */
interface Candidates {
  readonly start: Int32Array;
  readonly right: Int32Array;
  readonly distance: Float64Array;
}

/** Cell of a coordinate, as text: a Map of cells needs no bounding box, so far outliers cost nothing. */
function cellKey(x: number, y: number, z: number): string {
  return `${x},${y},${z}`;
}

function findCandidates(leftXyz: ArrayLike<number>, rightXyz: ArrayLike<number>, limit: number): Candidates {
  const cells = new Map<string, number[]>();
  for (let j = 0; j * 3 < rightXyz.length; j++) {
    const key = cellKey(
      Math.floor(rightXyz[3 * j] / limit),
      Math.floor(rightXyz[3 * j + 1] / limit),
      Math.floor(rightXyz[3 * j + 2] / limit),
    );
    const cell = cells.get(key);
    if (cell) cell.push(j);
    else cells.set(key, [j]);
  }
  const count = leftXyz.length / 3;
  const start = new Int32Array(count + 1);
  const right: number[] = [];
  const distance: number[] = [];
  for (let i = 0; i < count; i++) {
    const x = leftXyz[3 * i], y = leftXyz[3 * i + 1], z = leftXyz[3 * i + 2];
    const cx = Math.floor(x / limit), cy = Math.floor(y / limit), cz = Math.floor(z / limit);
    for (let dz = -1; dz <= 1; dz++) {
      for (let dy = -1; dy <= 1; dy++) {
        for (let dx = -1; dx <= 1; dx++) {
          for (const j of cells.get(cellKey(cx + dx, cy + dy, cz + dz)) ?? []) {
            const d = Math.hypot(rightXyz[3 * j] - x, rightXyz[3 * j + 1] - y, rightXyz[3 * j + 2] - z);
            if (d > limit) continue;
            right.push(j);
            distance.push(d);
          }
        }
      }
    }
    start[i + 1] = right.length;
  }
  return { start, right: Int32Array.from(right), distance: Float64Array.from(distance) };
}

/** Binary heap of (key, node); a node may stand in it more than once, the smallest key comes out first. */
class Heap {
  readonly #keys: number[] = [];
  readonly #nodes: number[] = [];
  get size(): number {
    return this.#keys.length;
  }
  push(key: number, node: number): void {
    let i = this.#keys.length;
    this.#keys.push(key);
    this.#nodes.push(node);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (this.#keys[parent] <= key) break;
      this.#keys[i] = this.#keys[parent];
      this.#nodes[i] = this.#nodes[parent];
      i = parent;
    }
    this.#keys[i] = key;
    this.#nodes[i] = node;
  }
  pop(): { key: number; node: number } {
    const key = this.#keys[0], node = this.#nodes[0];
    const lastKey = this.#keys.pop()!, lastNode = this.#nodes.pop()!;
    const n = this.#keys.length;
    if (n > 0) {
      let i = 0;
      for (;;) {
        let child = 2 * i + 1;
        if (child >= n) break;
        if (child + 1 < n && this.#keys[child + 1] < this.#keys[child]) child++;
        if (this.#keys[child] >= lastKey) break;
        this.#keys[i] = this.#keys[child];
        this.#nodes[i] = this.#nodes[child];
        i = child;
      }
      this.#keys[i] = lastKey;
      this.#nodes[i] = lastNode;
    }
    return { key, node };
  }
}

/**
 * The Hungarian method on a sparse graph: shortest augmenting paths with potentials, one left node after the other. Each left node has a
 * stand-in of its own at a cost above any sum of distances, so the result has as many pairs as possible and, among those, the least
 * total distance.
 */
function assignSparse(candidates: Candidates, rightCount: number, limit: number): Int32Array {
  const { start, right, distance } = candidates;
  const leftCount = start.length - 1;
  const unmatchedCost = limit * (Math.min(leftCount, rightCount) + 1);
  const rightOf = new Int32Array(leftCount).fill(-1);
  const leftOf = new Int32Array(rightCount).fill(-1);
  const potential = new Float64Array(rightCount);
  const best = new Float64Array(rightCount).fill(Infinity);
  const from = new Int32Array(rightCount);
  const done = new Uint8Array(rightCount);
  const price = new Float64Array(leftCount);
  for (let source = 0; source < leftCount; source++) {
    const heap = new Heap();
    const touched: number[] = [];
    const settled: number[] = [];
    // The cheapest way to end: at the stand-in of some left node on the tree.
    let endCost = Infinity, endLeft = -1, endRight = -1;
    let left = source, base = 0;
    for (;;) {
      const standIn = base + unmatchedCost - price[left];
      if (standIn < endCost) {
        endCost = standIn;
        endLeft = left;
      }
      for (let e = start[left]; e < start[left + 1]; e++) {
        const j = right[e];
        const cost = base + distance[e] - price[left] - potential[j];
        if (done[j] || cost >= best[j]) continue;
        if (best[j] === Infinity) touched.push(j);
        best[j] = cost;
        from[j] = left;
        heap.push(cost, j);
      }
      let next = -1;
      while (heap.size > 0) {
        const top = heap.pop();
        if (!done[top.node] && top.key === best[top.node]) {
          next = top.node;
          break;
        }
      }
      if (next < 0 || best[next] >= endCost) break;
      done[next] = 1;
      if (leftOf[next] < 0) {
        endCost = best[next];
        endRight = next;
        break;
      }
      settled.push(next);
      left = leftOf[next];
      base = best[next];
    }
    price[source] += endCost;
    for (const j of settled) {
      const raise = endCost - best[j];
      price[leftOf[j]] += raise;
      potential[j] -= raise;
    }
    // Walk back along the tree, giving each left node the right node through which the path left it.
    let free = endRight;
    let current = endRight >= 0 ? from[endRight] : endLeft;
    for (;;) {
      const before = rightOf[current];
      rightOf[current] = free;
      if (free >= 0) leftOf[free] = current;
      if (current === source) break;
      free = before;
      current = from[before];
    }
    for (const j of touched) {
      best[j] = Infinity;
      done[j] = 0;
    }
  }
  return rightOf;
}

/**
 * Matches points one to one within a distance: as many pairs as possible, and among such matchings the least sum of distances.
 *
 * Shapes: `fromXyz` [3n], `toXyz` [3m], x, y, z. Units: any, the same for all three arguments. Candidates come from a grid of cells of
 * the size of `limit`, so the cost is O((n + m) p log p) with p the points that a chain of neighbours reaches, not O(n m): 100,000 picks
 * take about a second.
 * @param limit Largest distance of a pair, above 0; a pair at exactly this distance counts.
 * @returns `[n]`: the index of each point's partner in `toXyz`, or -1.
 * @throws {ShapeError} When a list is not a multiple of three long.
 * @throws {RangeError} When `limit` is not a finite number above 0.
 * @see Jonker and Volgenant 1987, shortest augmenting paths for the linear assignment problem.
 */
export function matchPoints(fromXyz: ArrayLike<number>, toXyz: ArrayLike<number>, limit: number): Int32Array {
  if (fromXyz.length % 3 !== 0 || toXyz.length % 3 !== 0) {
    throw new ShapeError(`${fromXyz.length} and ${toXyz.length} coordinates: x, y and z are needed for every point`);
  }
  if (!(limit > 0 && limit < Infinity)) throw new RangeError(`matching distance ${limit}: a finite number above 0 is needed`);
  const n = fromXyz.length / 3;
  const m = toXyz.length / 3;
  // Searches that end at a stand-in are the long ones, and there are fewest of them from the smaller side.
  if (n <= m) return assignSparse(findCandidates(fromXyz, toXyz, limit), m, limit);
  const back = assignSparse(findCandidates(toXyz, fromXyz, limit), n, limit);
  const result = new Int32Array(n).fill(-1);
  back.forEach((i, j) => {
    if (i >= 0) result[i] = j;
  });
  return result;
}
