/**
 * oneDNN, open: its engine, its stream, and what every program needs of it.
 * @module
 */
import type { OnednnLibrary } from "./library.ts";
import { type Makers, type Pointer, QUERY } from "./makers.ts";
import { makersOf2 } from "./makers2.ts";
import { makersOf3 } from "./makers3.ts";
import { check, made } from "./status.ts";

const CPU = 1;
const IN_ORDER = 1;

/** Widths of channel blocks that a layout may have. */
export const BLOCKS = [8, 16] as const;

/** An engine and a stream on the processor. Every call is made from the worker's one thread. */
export class Runtime {
  readonly library: OnednnLibrary;
  readonly makers: Makers;
  readonly engine: Pointer;
  readonly stream: Pointer;
  /** Volumes keep all channels of a voxel together, instead of what the library prefers here. */
  readonly channelsLast: boolean;
  readonly #threads: number;

  constructor(library: OnednnLibrary, threads: number, channelsLast = false) {
    this.channelsLast = channelsLast;
    this.library = library;
    this.#threads = threads;
    library.symbols.omp_set_num_threads?.(threads);
    this.engine = made("engine", (out) => library.symbols.dnnl_engine_create(out, CPU, 0n));
    this.stream = made("stream", (out) => library.symbols.dnnl_stream_create(out, this.engine, IN_ORDER));
    this.makers = library.major === 2 ? makersOf2(library, this.engine) : makersOf3(library, this.engine);
  }

  /** Bytes of what a descriptor of memory describes. */
  bytes(descriptor: Pointer): number {
    return Number(this.library.symbols.dnnl_memory_desc_get_size(descriptor));
  }

  /** Whether two tensors lie in memory alike. */
  equal(a: Pointer, b: Pointer): boolean {
    return this.library.symbols.dnnl_memory_desc_equal(a, b) !== 0;
  }

  /** The memory descriptor that a primitive descriptor chose for one of its arguments. */
  chosen(primitive: Pointer, argument: keyof Omit<typeof QUERY, "implementation">): Pointer {
    return this.library.symbols.dnnl_primitive_desc_query_md(primitive, QUERY[argument], 0)!;
  }

  /** Name of the implementation behind a primitive descriptor, such as `jit:avx2`. */
  implementation(primitive: Pointer): string {
    const text = made(
      "name of an implementation",
      (out) => this.library.symbols.dnnl_primitive_desc_query(primitive, QUERY.implementation, 0, new Uint8Array(out.buffer)),
    );
    return Deno.UnsafePointerView.getCString(text);
  }

  /** Binds numbers at `address` to a descriptor; the caller destroys it. */
  memory(descriptor: Pointer, address: bigint): Pointer {
    return made(
      "memory",
      (out) => this.library.symbols.dnnl_memory_create(out, descriptor, this.engine, Deno.UnsafePointer.create(address)),
    );
  }

  /** Runs a primitive on arguments made by {@linkcode packArguments}. */
  execute(primitive: Pointer, args: BigUint64Array<ArrayBuffer>): void {
    check(this.library.symbols.dnnl_primitive_execute(primitive, this.stream, args.length / 2, args), "execution");
  }

  /** Runs `work` on this thread alone, where meeting the others would take longer than the work. With TBB it stays with all. */
  alone(work: () => void): void {
    const { omp_set_num_threads } = this.library.symbols;
    omp_set_num_threads?.(1);
    try {
      work();
    } finally {
      omp_set_num_threads?.(this.#threads);
    }
  }

  /** Waits until everything that was asked for is done. */
  wait(): void {
    check(this.library.symbols.dnnl_stream_wait(this.stream), "waiting");
  }

  /** Frees engine, stream and library: nothing made from them may be used afterwards. */
  close(): void {
    const { symbols } = this.library;
    this.makers.close();
    symbols.dnnl_stream_destroy(this.stream);
    symbols.dnnl_engine_destroy(this.engine);
  }
}

/** `dnnl_exec_arg_t` one after another: what each memory is, and its pointer. */
export function packArguments(args: readonly (readonly [number, Pointer])[]): BigUint64Array<ArrayBuffer> {
  const packed = new BigUint64Array(2 * args.length);
  args.forEach(([argument, memory], i) => {
    packed[2 * i] = BigInt(argument);
    packed[2 * i + 1] = BigInt(Deno.UnsafePointer.value(memory));
  });
  return packed;
}

/** Address of a typed array's first number. The array must stay reachable while the library may use it. */
export function addressOf(array: Float32Array | Uint8Array): bigint {
  return BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(array as Uint8Array<ArrayBuffer>)));
}
