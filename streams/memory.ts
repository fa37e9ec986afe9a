/**
 * How much memory the process has used at most.
 * @module
 */

/** Peak resident set in MiB: Linux's high-water mark, elsewhere the present size. */
export function peakRssMiB(): number {
  try {
    const match = /VmHWM:\s+(\d+) kB/.exec(Deno.readTextFileSync("/proc/self/status"));
    if (match) return Math.round(Number(match[1]) / 1024);
  } catch { /* not Linux, or /proc is closed */ }
  return Math.round(Deno.memoryUsage().rss / 2 ** 20);
}
