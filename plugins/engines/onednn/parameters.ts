/**
 * Where a network's parameters, their moments and their gradients live: plain row-major float32, as they cross the engine's border.
 * @module
 */
import { isTrained, type NetworkShapes, type Parameter, sizeOf } from "../shapes.ts";
import type { NetworkState } from "../network.ts";
import { alignedFloats } from "./program.ts";

/** Parameters begin at multiples of this many numbers. */
const GRAIN = 16;

/** Four long arrays in which each trained parameter has the same place; running statistics stand in the first only. */
export class Parameters {
  readonly values: Float32Array<ArrayBuffer>;
  readonly gradients: Float32Array<ArrayBuffer>;
  readonly moments: Float32Array<ArrayBuffer>;
  readonly variances: Float32Array<ArrayBuffer>;
  readonly #shapes: NetworkShapes;
  readonly #places = new Map<string, { readonly parameter: Parameter; readonly begin: number; readonly end: number }>();
  /** Changes when values do. */
  version = 0;

  constructor(shapes: NetworkShapes) {
    this.#shapes = shapes;
    let end = 0;
    const place = (parameter: Parameter) => {
      const begin = end;
      end += Math.ceil(sizeOf(parameter.shape) / GRAIN) * GRAIN;
      this.#places.set(parameter.name, { parameter, begin, end });
    };
    shapes.parameters.filter(isTrained).forEach(place);
    const trained = end;
    shapes.parameters.filter((parameter) => !isTrained(parameter)).forEach(place);
    this.values = alignedFloats(end);
    this.gradients = alignedFloats(trained);
    this.moments = alignedFloats(trained);
    this.variances = alignedFloats(trained);
  }

  /** A parameter's numbers in one of the arrays. */
  view(name: string, kind: "values" | "gradients" | "moments" | "variances" = "values"): Float32Array<ArrayBuffer> {
    const { parameter, begin } = this.#places.get(name)!;
    return this[kind].subarray(begin, begin + sizeOf(parameter.shape));
  }

  /** Stretches that hold the parameters of some layers and nothing else but zeros, as few as can be. */
  stretches(layers: ReadonlySet<string>): { readonly begin: number; readonly end: number }[] {
    const found: { begin: number; end: number }[] = [];
    for (const { parameter, begin, end } of this.#places.values()) {
      if (!isTrained(parameter) || !layers.has(parameter.layer)) continue;
      const last = found.at(-1);
      if (last?.end === begin) last.end = end;
      else found.push({ begin, end });
    }
    return found;
  }

  /** Copies a state in; absent moments are zero. */
  set(state: NetworkState): void {
    for (const parameter of this.#shapes.parameters) {
      this.view(parameter.name).set(state.arrays[parameter.name].values);
      if (!isTrained(parameter)) continue;
      for (const [suffix, kind] of [[":m", "moments"], [":v", "variances"]] as const) {
        const given = state.arrays[parameter.name + suffix];
        if (given) this.view(parameter.name, kind).set(given.values);
        else this.view(parameter.name, kind).fill(0);
      }
    }
    this.version++;
  }

  /** Copies of everything, as a state has it. */
  arrays(): NetworkState["arrays"] {
    const arrays: Record<string, { shape: readonly number[]; values: Float32Array }> = {};
    for (const { name, shape, ...parameter } of this.#shapes.parameters) {
      arrays[name] = { shape, values: this.view(name).slice() };
      if (!isTrained({ name, shape, ...parameter })) continue;
      arrays[`${name}:m`] = { shape, values: this.view(name, "moments").slice() };
      arrays[`${name}:v`] = { shape, values: this.view(name, "variances").slice() };
    }
    return arrays;
  }
}
