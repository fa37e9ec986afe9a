/**
 * Work started ahead, results in order.
 * @module
 */

/**
 * Results of `start(0)` to `start(count - 1)` in order, with up to `ahead` calls under way at once.
 *
 * When one fails or the caller stops, no more is started; results of calls under way are left to end unheard.
 */
export async function* inOrder<T>(count: number, ahead: number, start: (index: number) => Promise<T>): AsyncGenerator<T> {
  const running: Promise<T>[] = [];
  for (let index = 0; index < count || running.length > 0;) {
    while (index < count && running.length < ahead) {
      const call = start(index++);
      // Heard when its turn comes; until then it must not count as unhandled.
      call.catch(() => {});
      running.push(call);
    }
    yield await running.shift()!;
  }
}
