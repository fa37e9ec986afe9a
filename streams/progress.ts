/**
 * Progress of long work on stderr: a bar on a terminal, plain lines when piped.
 * @module
 */
import cliProgress from "cli-progress";
import process from "node:process";

/** Where a run tells how far it is. */
export interface Progress {
  /** How far `phase` has come; `total` 0 when it is not known. */
  update(phase: string, done: number, total: number): void;
  /** Prints one line without breaking the bar. */
  log(line: string): void;
  close(): void;
}

/** Milliseconds between plain lines of one phase. */
const PLAIN_EVERY_MS = 5000;

/** Progress for people. */
export function stderrProgress(): Progress {
  const terminal = Deno.stderr.isTerminal();
  const say = (line: string) => Deno.stderr.writeSync(new TextEncoder().encode(line + "\n"));
  let bar: cliProgress.SingleBar | null = null;
  let phaseNow = "", last = -Infinity;
  const stop = () => {
    bar?.stop();
    bar = null;
  };
  return {
    update(phase, done, total) {
      if (!terminal) {
        const now = performance.now();
        const end = total > 0 && done >= total;
        if (phase === phaseNow && !end && now - last < PLAIN_EVERY_MS) return;
        phaseNow = phase;
        last = now;
        say(total > 0 ? `${phase}: ${done}/${total}` : `${phase}: ${done}`);
        return;
      }
      if (phase !== phaseNow || !bar) {
        stop();
        phaseNow = phase;
        bar = new cliProgress.SingleBar({
          stream: process.stderr,
          format: total > 0 ? "{phase} [{bar}] {value}/{total}  {eta_formatted}" : "{phase} {value}",
          hideCursor: false,
          barsize: 30,
          etaBuffer: 50,
          fps: 5,
        }, cliProgress.Presets.legacy);
        bar.start(Math.max(total, 1), done, { phase });
      }
      bar.setTotal(Math.max(total, 1));
      bar.update(done);
      if (total > 0 && done >= total) stop();
    },
    log(line) {
      stop();
      say(line);
    },
    close: stop,
  };
}

/** Says nothing. */
export const silentProgress: Progress = { update() {}, log() {}, close() {} };
