/**
 * One run of an external program: no shell, a time limit, and its last words where it fails.
 * @module
 */
import { RunError } from "../../../streams/errors.ts";

/** Bytes of either output that are kept for a message. */
const TAIL_BYTES = 4096;
/** Lines of them that are shown. */
const TAIL_LINES = 12;
/** How long a program that was told to end may take. */
const GRACE_MS = 5000;
/** How long the words of a program that has ended are waited for. */
const LINGER_MS = 1000;
/** How often a program that runs is reported to be alive. */
const SIGN_MS = 20_000;

/** What to run. */
export interface ProgramCall {
  readonly program: string;
  readonly args: readonly string[];
  /** Its current folder. */
  readonly folder: string;
  readonly timeLimitSeconds: number;
  readonly signal: AbortSignal;
  /** Called now and then while it runs. */
  alive(): void;
}

/**
 * Runs a program to its end.
 *
 * When `signal` aborts or the time is up, the program is told to end, and killed five seconds later; so is what it has started, where Deno may
 * run every program (with --allow-run=PROGRAM it may signal only that one).
 * @throws {RunError} When it cannot be started, ends with another code than 0, or takes too long; the message ends with its last words.
 */
export async function runProgram(call: ProgramCall): Promise<void> {
  const { program, args, folder, timeLimitSeconds, signal } = call;
  signal.throwIfAborted();
  const started = performance.now();
  const child = start(program, args, folder);
  const timeUp = AbortSignal.timeout(1000 * timeLimitSeconds);
  const stop = AbortSignal.any([signal, timeUp]);
  let late: ReturnType<typeof setTimeout> | undefined;
  const end = () => {
    kill(child, "SIGTERM");
    late = setTimeout(() => kill(child, "SIGKILL"), GRACE_MS);
  };
  stop.addEventListener("abort", end, { once: true });
  if (stop.aborted) end();
  const signs = setInterval(() => call.alive(), SIGN_MS);
  try {
    const errors = new Tail(child.stderr), words = new Tail(child.stdout);
    const status = await child.status;
    await Promise.all([errors.end(), words.end()]);
    signal.throwIfAborted();
    const seconds = Math.round((performance.now() - started) / 1000), said = lastWords(errors.text || words.text);
    if (timeUp.aborted) {
      throw new RunError(`${program} was stopped after ${seconds} s, the limit: raise "timeLimitSeconds" if it needs longer${said}`);
    }
    if (!status.success) {
      const how = status.signal ? `was ended by ${status.signal}` : `ended with code ${status.code}`;
      throw new RunError(`${program} ${how} after ${seconds} s${said}`);
    }
  } finally {
    stop.removeEventListener("abort", end);
    clearTimeout(late);
    clearInterval(signs);
  }
}

function start(program: string, args: readonly string[], folder: string): Deno.ChildProcess {
  try {
    // In a process group of its own, so that what it starts ends with it.
    return new Deno.Command(program, { args: [...args], cwd: folder, stdin: "null", stdout: "piped", stderr: "piped", detached: true })
      .spawn();
  } catch (cause) {
    if (cause instanceof Deno.errors.NotCapable) {
      throw new RunError(`Deno may not run ${program}: start tomosieve with deno run -P --allow-run=${program} cli.ts`, { cause });
    }
    const why = cause instanceof Deno.errors.NotFound
      ? "there is no such program, neither at that path nor in PATH"
      : cause instanceof Error
      ? cause.message
      : String(cause);
    throw new RunError(`${program} could not be started: ${why}`, { cause });
  }
}

function kill(child: Deno.ChildProcess, name: Deno.Signal): void {
  try {
    Deno.kill(-child.pid, name);
  } catch {
    // Not permitted for a group, or no group of that number any more: then the program alone.
    try {
      child.kill(name);
    } catch { /* it has ended */ }
  }
}

/** The last bytes of a stream, which is read to its end so that the program never waits. */
class Tail {
  #bytes: Uint8Array = new Uint8Array();
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #read: Promise<void>;

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader();
    this.#read = this.#readAll().catch(() => {});
  }

  async #readAll(): Promise<void> {
    for (let part = await this.#reader.read(); !part.done; part = await this.#reader.read()) {
      const joined = new Uint8Array(this.#bytes.length + part.value.length);
      joined.set(this.#bytes);
      joined.set(part.value, this.#bytes.length);
      this.#bytes = joined.slice(-TAIL_BYTES);
    }
  }

  /** Waits for the end of the stream, but not for long: something that the program has started may hold it open. */
  async end(): Promise<void> {
    let late: ReturnType<typeof setTimeout> | undefined;
    await Promise.race([this.#read, new Promise<void>((resolve) => late = setTimeout(resolve, LINGER_MS))]);
    clearTimeout(late);
    await this.#reader.cancel().catch(() => {});
  }

  get text(): string {
    return new TextDecoder().decode(this.#bytes);
  }
}

function lastWords(text: string): string {
  // A bar that redraws itself says the same line again and again.
  const lines = text.split(/\r\n|\n/).map((line) => line.slice(line.lastIndexOf("\r") + 1).trimEnd()).filter((line) => line !== "");
  return lines.length === 0 ? "; it said nothing" : `; its last words:\n  ${lines.slice(-TAIL_LINES).join("\n  ")}`;
}
