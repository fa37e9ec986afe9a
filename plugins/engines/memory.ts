/**
 * How much memory there is, and what its absence looks like.
 * @module
 */

/** Bytes that can still be allocated: free memory, or what the control group (a container's limit) leaves. */
export function availableBytes(): number {
  const { available } = Deno.systemMemoryInfo();
  try {
    const limit = Number(Deno.readTextFileSync("/sys/fs/cgroup/memory.max"));
    const used = Number(Deno.readTextFileSync("/sys/fs/cgroup/memory.current"));
    // "max" reads as NaN: there is no limit.
    if (Number.isFinite(limit - used)) return Math.min(available, limit - used);
  } catch {
    // No control groups here, or no permission to read them.
  }
  return available;
}

/** Whether an error of an engine's library, or of JavaScript, means that memory ran out. */
export function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error &&
    /bad_alloc|failed to allocate|out of memory|available memory of|array buffer allocation failed|invalid array buffer length/i.test(
      error.message,
    );
}
