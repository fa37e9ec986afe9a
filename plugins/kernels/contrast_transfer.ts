/**
 * The contrast transfer function of a microscope.
 * @module
 */

/** Contrast transfer of one defocus for the whole volume. */
export interface ContrastTransfer {
  /** Underfocus, positive. */
  readonly defocusAngstrom: number;
  /** Acceleration voltage. */
  readonly voltageKilovolts: number;
  /** Cs. */
  readonly sphericalAberrationMillimetres: number;
  /** Share of the amplitude contrast, 0 to 1. */
  readonly amplitudeContrast: number;
  /** Of a phase plate; none where absent. */
  readonly phaseShiftDegrees?: number;
  /** Whether the reconstruction has corrected the signs. */
  readonly phaseFlipped: boolean;
}

/**
 * Contrast transfer at a spatial frequency, positive near zero: bright particles stay bright.
 *
 * @param frequency Cycles per Angstrom.
 * @see Erickson and Klug 1971. chi = pi lambda dz f^2 - (pi / 2) Cs lambda^3 f^4 + phase shift; gain sqrt(1 - A^2) sin chi + A cos chi.
 */
export function contrastTransfer(ctf: ContrastTransfer, frequency: number): number {
  const volts = ctf.voltageKilovolts * 1000;
  // Relativistic wavelength of an electron, Angstrom.
  const lambda = 12.2643 / Math.sqrt(volts + 0.978466e-6 * volts * volts);
  const f2 = frequency * frequency;
  const aberration = 0.5 * ctf.sphericalAberrationMillimetres * 1e7 * lambda * lambda * f2;
  const chi = Math.PI * (lambda * f2 * (ctf.defocusAngstrom - aberration) + (ctf.phaseShiftDegrees ?? 0) / 180);
  const gain = Math.sqrt(1 - ctf.amplitudeContrast ** 2) * Math.sin(chi) + ctf.amplitudeContrast * Math.cos(chi);
  return ctf.phaseFlipped ? Math.abs(gain) : gain;
}
