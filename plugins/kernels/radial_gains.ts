/**
 * Gains of radial filters: band-pass, and deconvolution of the contrast transfer.
 * @module
 */
import { type ContrastTransfer, contrastTransfer } from "./contrast_transfer.ts";

/** Samples from frequency 0 to Nyquist's. */
const SAMPLES = 4096;
/** Samples of the deconvolution: as many as its first implementation has. */
const DECONVOLUTION_SAMPLES = 2048;

/** A pass band between two frequencies, each edge half a period of a cosine wide. */
export interface PassBand {
  /** Frequency of half gain towards zero, cycles a voxel; 0: none, the mean stays. */
  readonly lowEdge: number;
  /** Frequency of half gain towards Nyquist's, cycles a voxel; `Infinity`: none. */
  readonly highEdge: number;
  /** Width of either edge, cycles a voxel; that of the low edge is at most twice its frequency, so that the mean goes. */
  readonly edgeWidth: number;
}

/** Gains of a pass band, from 0 to Nyquist's frequency. */
export function bandGains({ lowEdge, highEdge, edgeWidth }: PassBand): Float64Array {
  const step = (frequency: number, edge: number, width: number) => {
    const t = width > 0 ? (frequency - edge) / width + 0.5 : frequency < edge ? 0 : 1;
    return t <= 0 ? 0 : t >= 1 ? 1 : 0.5 - 0.5 * Math.cos(Math.PI * t);
  };
  return Float64Array.from({ length: SAMPLES }, (_, i) => {
    const frequency = i / (2 * (SAMPLES - 1));
    const low = lowEdge > 0 ? step(frequency, lowEdge, Math.min(edgeWidth, 2 * lowEdge)) : 1;
    return low * (highEdge < Infinity ? 1 - step(frequency, highEdge, edgeWidth) : 1);
  });
}

/** What the deconvolution needs beside the contrast transfer. */
export interface Deconvolution {
  readonly voxelSizeAngstrom: number;
  /** The signal-to-noise ratio near zero frequency is 1000 to this power. */
  readonly strength: number;
  /** How fast the signal-to-noise ratio falls: see {@linkcode deconvolutionGains}. */
  readonly snrFalloff: number;
  /** Share of Nyquist's frequency below which the ratio is led to zero. */
  readonly highPassFraction: number;
}

/**
 * Gains of a Wiener-like filter: `c / (c^2 + 1 / s)` with the contrast transfer c and an assumed signal-to-noise ratio
 * `s = 1000^strength x exp(-100 falloff r / pixel) x (1 - cos(pi min(1, r / highPass)))`, r the share of Nyquist's frequency. The mean goes.
 *
 * @see Tegunov and Cramer 2019, Nature Methods 16, 1146 (Warp's deconvolution; tom_deconv and IsoNet use the same formula).
 */
export function deconvolutionGains(ctf: ContrastTransfer, given: Deconvolution): Float64Array {
  const { voxelSizeAngstrom, strength, snrFalloff, highPassFraction } = given;
  return Float64Array.from({ length: DECONVOLUTION_SAMPLES }, (_, i) => {
    const r = i / (DECONVOLUTION_SAMPLES - 1);
    const led = highPassFraction > 0 ? 1 - Math.cos(Math.PI * Math.min(1, r / highPassFraction)) : 2;
    const ratio = 1000 ** strength * Math.exp((-100 * snrFalloff * r) / voxelSizeAngstrom) * led;
    const c = contrastTransfer(ctf, r / (2 * voxelSizeAngstrom));
    return c * ratio / (c * c * ratio + 1);
  });
}
