/**
 * How many picks are false, from picks in a decoy.
 * @module
 */

/**
 * Share of false picks near each score, by the numbers of picks in a tomogram and in its decoy: isotonic regression of "is a decoy's" over the
 * scores of both, since a better score cannot be false more often. Its sum over all picks is the number of the
 * decoy's picks, or less where those outnumber the picks of like score.
 *
 * @param scores `[n]` of the tomogram.
 * @param decoys `[m]` of the decoy, of the same picker.
 * @returns `[n]`, 0 to 1.
 * @see Elias and Gygi 2007, Nature Methods 4, for decoys; Ayer et al. 1955 for the regression.
 */
export function falseShares(scores: ArrayLike<number>, decoys: ArrayLike<number>): Float64Array {
  const n = scores.length, all = n + decoys.length;
  const score = (i: number) => i < n ? scores[i] : decoys[i - n];
  const order = Int32Array.from({ length: all }, (_, i) => i).sort((a, b) => score(b) - score(a));
  // Blocks of falling score whose share of decoys rises; equal scores begin in one block.
  const blocks: { picks: number; decoys: number; from: number }[] = [];
  const share = (block: { picks: number; decoys: number }) => block.decoys / (block.picks + block.decoys);
  for (let at = 0; at < all;) {
    const block = { picks: 0, decoys: 0, from: at };
    for (const value = score(order[at]); at < all && score(order[at]) === value; at++) order[at] < n ? block.picks++ : block.decoys++;
    blocks.push(block);
    while (blocks.length > 1 && share(blocks.at(-2)!) >= share(blocks.at(-1)!)) {
      const last = blocks.pop()!, before = blocks.at(-1)!;
      before.picks += last.picks;
      before.decoys += last.decoys;
    }
  }
  const out = new Float64Array(n);
  blocks.forEach((block, b) => {
    const end = blocks[b + 1]?.from ?? all, value = block.picks > 0 ? Math.min(1, block.decoys / block.picks) : 1;
    for (let at = block.from; at < end; at++) if (order[at] < n) out[order[at]] = value;
  });
  return out;
}
