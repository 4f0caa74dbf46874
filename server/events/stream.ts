/**
 * An async generator that can be ended while it waits: `return()` on a plain one only takes effect at its next `yield`, so a
 * subscriber that leaves a quiet stream would never be let go. `run` must stop waiting when the signal aborts.
 */
export function createStream<T>(
  stopped: AbortSignal,
  run: (signal: AbortSignal) => AsyncGenerator<T, void>,
): AsyncIterableIterator<T> {
  const left = new AbortController();
  const stop = () => left.abort();
  stopped.addEventListener('abort', stop, { once: true });
  if (stopped.aborted) stop();
  const generator = run(left.signal);
  const end = async (): Promise<IteratorReturnResult<undefined>> => {
    stopped.removeEventListener('abort', stop);
    left.abort();
    await generator.return(undefined);
    return { done: true, value: undefined };
  };
  return {
    next: async () => {
      const result = await generator.next();
      if (result.done) stopped.removeEventListener('abort', stop);
      return result;
    },
    return: end,
    async throw(error) {
      await end();
      throw error;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
