/** Copies the output of a launch into its log, from when it may be there until all of it is. */
import { setMaxListeners } from 'node:events';
import type { LaunchContext } from './launch-context.ts';
import type { LaunchLog } from './launch-log.ts';
import type { Target } from './target.ts';

export interface LogFollower {
  /** Its output may be there: idempotent. */
  begin(): void;
  /** It writes no more: resolves when all of it has been copied. `byUs`: we have stopped it, so nobody wonders where its last words are. */
  complete(byUs: boolean): Promise<void>;
  /** Another launcher goes on, or there is no more. */
  leave(): void;
}

export function followLog(ctx: LaunchContext, target: Target, log: LaunchLog): LogFollower {
  const left = new AbortController();
  const ended = new AbortController();
  const { signal } = left;
  // Every container listens
  setMaxListeners(0, signal, ended.signal);
  const leave = () => left.abort();
  ctx.stopped.addEventListener('abort', leave);
  let following: Promise<string | null> | undefined;
  const explain = (error: unknown): string | null => {
    if (signal.aborted) return null;
    ctx.log.warn({ error, cluster: ctx.cluster, name: target.name }, 'the log of a Pod could not be read to its end');
    return `The rest of the log could not be read: ${error instanceof Error ? error.message : String(error)}`;
  };
  return {
    begin() {
      following ??= target.followLog?.(log, { ended: ended.signal, signal }).catch(explain);
    },
    async complete(byUs) {
      ended.abort();
      const problem = await following;
      if (problem && !byUs && !signal.aborted) log.system(problem);
    },
    leave() {
      ctx.stopped.removeEventListener('abort', leave);
      leave();
    },
  };
}
