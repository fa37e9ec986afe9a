/**
 * The other thread of `held_thread.ts`: counts how long the main thread has shown no beat, and ends the process when that is too long.
 * @module
 */
import { parentPort } from "node:worker_threads";
import { viewHeldThread } from "./held_thread.ts";

/** Milliseconds between two looks; a longer gap (a laptop that slept) counts as one. */
const LOOK_MS = 500;

parentPort!.once("message", (shared: SharedArrayBuffer) => {
  const { beats, name } = viewHeldThread(shared);
  const sleeping = new Int32Array(new SharedArrayBuffer(4));
  for (let last = -1, quietMs = 0;;) {
    Atomics.wait(sleeping, 0, 0, LOOK_MS);
    const beat = Atomics.load(beats, 0), limitSeconds = Atomics.load(beats, 1);
    quietMs = beat === last ? quietMs + LOOK_MS : 0;
    last = beat;
    if (limitSeconds > 0 && quietMs >= 1000 * limitSeconds) {
      end(new TextDecoder().decode(name.slice(0, Atomics.load(beats, 2))), limitSeconds);
    }
  }
});

/** Says who it was and ends the process the hard way: the main thread would not hear of anything softer. */
function end(stage: string, limitSeconds: number): void {
  const message =
    `${stage}: has kept the thread to itself for ${limitSeconds} s, so it is taken to hang and the process is ended: look at this ` +
    `plugin's loops (long work belongs into ctx.pool), or raise "timeoutSeconds", and use --resume`;
  const write = (file: { writeSync(bytes: Uint8Array): number }, text: string) => file.writeSync(new TextEncoder().encode(text + "\n"));
  write(Deno.stderr, message);
  if (Deno.args.includes("--json")) write(Deno.stdout, JSON.stringify({ status: "failed", problems: [message] }));
  Deno.kill(Deno.pid, "SIGKILL");
}
