/** A database that is away is waited for. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { LaunchContext } from './launch-context.ts';

const RETRY_MS = 1_000;

/** Rejects only when this process stops. */
export async function again<T>(ctx: LaunchContext, work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (ctx.stopped.aborted) throw error;
      ctx.log.warn({ error, cluster: ctx.cluster }, 'a launch waits for the database');
      await sleep(RETRY_MS, undefined, { signal: ctx.stopped });
    }
  }
}
