/**
 * Real spherical harmonics and an exact quadrature on the sphere.
 * @module
 */

/** Points on the unit sphere with weights that sum to 4 pi. */
export interface SphereQuadrature {
  /** `[n, 3]` x, y, z. */
  readonly directionsXyz: Float64Array;
  /** `[n]`. */
  readonly weights: Float64Array;
}

/**
 * Nodes and weights of Gauss-Legendre quadrature on [-1, 1], by Newton's iteration on the Legendre polynomial; exact to degree 2n - 1.
 * @param n Number of nodes, at least 1.
 */
export function gaussLegendre(n: number): { readonly nodes: Float64Array; readonly weights: Float64Array } {
  const nodes = new Float64Array(n), weights = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    let x = Math.cos(Math.PI * (i + 0.75) / (n + 0.5));
    let slope = 1;
    for (let turn = 0; turn < 100; turn++) {
      let previous = 1, value = x;
      for (let k = 2; k <= n; k++) [previous, value] = [value, ((2 * k - 1) * x * value - (k - 1) * previous) / k];
      if (n === 1) previous = 1;
      slope = n * (x * value - previous) / (x * x - 1);
      const step = value / slope;
      x -= step;
      if (Math.abs(step) < 1e-15) break;
    }
    nodes[n - 1 - i] = x;
    weights[n - 1 - i] = 2 / ((1 - x * x) * slope * slope);
  }
  return { nodes, weights };
}

/**
 * Quadrature that integrates products of two harmonics up to `degree` exactly: Gauss-Legendre in cos(theta), uniform in phi.
 * @param rings Number of rings, at least degree + 1; each holds 2 x rings points.
 */
export function sphereQuadrature(rings: number): SphereQuadrature {
  const { nodes, weights } = gaussLegendre(rings);
  const around = 2 * rings;
  const directionsXyz = new Float64Array(rings * around * 3), area = new Float64Array(rings * around);
  for (let i = 0; i < rings; i++) {
    const sine = Math.sqrt(1 - nodes[i] * nodes[i]);
    for (let j = 0; j < around; j++) {
      const phi = 2 * Math.PI * j / around;
      directionsXyz.set([sine * Math.cos(phi), sine * Math.sin(phi), nodes[i]], 3 * (i * around + j));
      area[i * around + j] = weights[i] * 2 * Math.PI / around;
    }
  }
  return { directionsXyz, weights: area };
}

/**
 * Real, orthonormal spherical harmonics Y_lm for l = 0..degree at unit vectors, without the Condon-Shortley sign.
 *
 * Column l(l+1) + m: m > 0 goes with cos(m phi), m < 0 with sin(|m| phi).
 * @param directionsXyz `[n, 3]` unit vectors.
 * @returns `[n, (degree + 1)^2]` row-major.
 */
export function realSphericalHarmonics(degree: number, directionsXyz: Float64Array): Float64Array {
  const n = directionsXyz.length / 3, columns = (degree + 1) ** 2;
  const out = new Float64Array(n * columns);
  const side = degree + 1;
  // legendre[l * side + m]: normalised so that the square integrates to 1 / (2 pi) over cos(theta).
  const legendre = new Float64Array(side * side);
  for (let p = 0; p < n; p++) {
    const x = directionsXyz[3 * p], y = directionsXyz[3 * p + 1], z = directionsXyz[3 * p + 2];
    const sine = Math.hypot(x, y), phi = Math.atan2(y, x);
    legendre[0] = Math.sqrt(1 / (4 * Math.PI));
    for (let m = 1; m <= degree; m++) {
      legendre[m * side + m] = legendre[(m - 1) * side + m - 1] * sine * Math.sqrt((2 * m + 1) / (2 * m));
    }
    for (let m = 0; m < degree; m++) legendre[(m + 1) * side + m] = z * Math.sqrt(2 * m + 3) * legendre[m * side + m];
    for (let m = 0; m <= degree; m++) {
      for (let l = m + 2; l <= degree; l++) {
        const a = Math.sqrt((4 * l * l - 1) / (l * l - m * m));
        const b = Math.sqrt(((l - 1) ** 2 - m * m) / (4 * (l - 1) ** 2 - 1));
        legendre[l * side + m] = a * (z * legendre[(l - 1) * side + m] - b * legendre[(l - 2) * side + m]);
      }
    }
    for (let l = 0; l <= degree; l++) {
      const at = p * columns + l * (l + 1);
      out[at] = legendre[l * side];
      for (let m = 1; m <= l; m++) {
        out[at + m] = Math.SQRT2 * legendre[l * side + m] * Math.cos(m * phi);
        out[at - m] = Math.SQRT2 * legendre[l * side + m] * Math.sin(m * phi);
      }
    }
  }
  return out;
}
