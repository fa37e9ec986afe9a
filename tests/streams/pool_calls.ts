/** What the pool's tests call in a worker. */
export function double(values: Float32Array) {
  return { doubled: values.map((value) => 2 * value), isWorker: typeof (globalThis as { window?: unknown }).window === "undefined" };
}
export function mark(shared: Int32Array, index: number) {
  Atomics.store(shared, index, index + 1);
}
export async function count(running: Int32Array) {
  const now = Atomics.add(running, 0, 1) + 1;
  let peak = Atomics.load(running, 1);
  while (now > peak) peak = Atomics.compareExchange(running, 1, peak, now) === peak ? now : Atomics.load(running, 1);
  await new Promise((resolve) => setTimeout(resolve, 5));
  Atomics.sub(running, 0, 1);
}
export function fail(message: string) {
  throw new RangeError(message);
}
export function never() {
  return new Promise(() => {});
}
