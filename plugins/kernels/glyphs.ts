/**
 * A dot font for labels on pictures: 5 dots wide, 7 high.
 * @module
 */

/** Dots across a character. */
export const GLYPH_WIDTH = 5;
/** Dots from the top to the bottom of a character. */
export const GLYPH_HEIGHT = 7;

/** One entry a character: the character, then its seven rows from the top, each a base-32 digit whose highest bit is the left dot. */
const FONT = "0ehjlphe 14c4444e 2eh1248v 3v2421he 426aiv22 5vgu11he 668guhhe 7v124888 8ehhehhe 9ehhf12c " +
  "Aehhvhhh Buhhuhhu Cehggghe Duhhhhhu Evgguggv Fvgguggg Gehgnhhf Hhhhvhhh Ie44444e J72222ic Khikokih Lggggggv Mhrllhhh " +
  "Nhhpljhh Oehhhhhe Puhhuggg Qehhhlid Ruhhukih Sfgge11u Tv444444 Uhhhhhhe Vhhhhha4 Whhhllla Xhha4ahh Yhhha444 Zv1248gv " +
  "a00e1fhf bggmphhu c00egghe d11djhhf e00ehvge f698s888 g0fhhf1e hggmphhh i40c444e j20622ic kggikoki lc44444e m00qllhh " +
  "n00mphhh o00ehhhe p00uhugg q00djf11 r00mpggg s00ege1u t88s8896 u00hhhjd v00hhha4 w00hhlla x00ha4ah y00hhf1e z00v248v " +
  ".00000cc ,0000c48 :0cc0cc0 -000v000 _000000v +044v440 =00v0v00 (2488842 )8422248 /01248g0 %op248j3 #aavavaa <248g842 " +
  ">8421248 *04lel40 'c480000 \"aaa0000 !4444004 ?eh12404 &cik8lid [e88888e ]e22222e ;0cc0c48 @eh1dlle ~008l200 µ00hhhqg Å40ehvhh";

const ROWS = new Map<string, readonly number[]>(
  FONT.split(" ").map((entry) => [entry[0], [...entry.slice(1)].map((digit) => parseInt(digit, 32))]),
);
const BLANK = [0, 0, 0, 0, 0, 0, 0];
const UNKNOWN = [31, 17, 17, 17, 17, 17, 31];

/** The seven rows of a character, five bits each, the highest bit on the left; an empty box for one that the font does not have. */
export function glyphRows(character: string): readonly number[] {
  return character === " " || character === "\u00a0" ? BLANK : ROWS.get(character) ?? UNKNOWN;
}
