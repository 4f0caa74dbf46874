/** Copies the output of a launch into its log, from when it may be there until all of it is. */
import type { Entry, LaunchContext } from './launch-context.ts';
import type { LaunchLog } from './launch-log.ts';
import type { Target } from './target.ts';

export interface LogFollower {
  /** Its output may be there: idempotent. */
  begin(): void;
  /** All of it has been copied. */
  complete(): Promise<void>;
  /** Another launcher goes on, or there is no more. */
  leave(): void;
}

export function followLog(ctx: LaunchContext, entry: Entry, target: Target, log: LaunchLog): LogFollower {
  const left = new AbortController();
  const signal = AbortSignal.any([left.signal, ctx.stopped]);
  let following: Promise<void> | undefined;
  const isOver = () =>
    entry.gone || (entry.object.value !== null && target.see(entry.object.value.is, ctx.now()).end !== null);
  return {
    begin() {
      following ??= target.followLog?.(log, isOver, signal).catch((error: unknown) => {
        if (signal.aborted) return;
        ctx.log.warn(
          { error, cluster: ctx.cluster, name: target.name },
          'the log of a Pod could not be read to its end',
        );
        log.system(`The rest of the log could not be read: ${error instanceof Error ? error.message : String(error)}`);
      });
    },
    complete: async () => following,
    leave: () => left.abort(),
  };
}
