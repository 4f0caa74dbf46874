import { setTimeout as sleep } from 'node:timers/promises';

export interface WaitOptions {
  timeoutMs?: number;
  /** What is awaited, for the message when it does not come. */
  what?: string;
}

/** Polls until `look` gives something truthy and returns that; the error tells what was seen last. */
export async function waitFor<T>(
  look: () => T | Promise<T>,
  { timeoutMs = 20_000, what = 'the condition' }: WaitOptions = {},
): Promise<NonNullable<T>> {
  const deadline = performance.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await look();
      if (value) return value as NonNullable<T>;
      last = value;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline)
      throw new Error(
        `Waited ${timeoutMs} ms for ${what}; last seen: ${last instanceof Error ? last.message : JSON.stringify(last)}`,
        {
          cause: last,
        },
      );
    await sleep(10);
  }
}
