/** From the success of a task to its result, which is in its Pod still. */
import { setResultReady } from '#db/queries/pod-launches.ts';
import { COLLECT_SECONDS } from '../kubernetes/collector-container.ts';
import { again } from './again.ts';
import type { Entry, LaunchContext } from './launch-context.ts';
import type { Target } from './target.ts';
import { tellStart, type Ended } from './watch-to-end.ts';

/** What is wrong may become hopeless by lasting. */
const LOOK_AGAIN_MS = 15_000;

/** Whoever takes over asks once more, which changes nothing, and looks: the Pod alone says how far it is. */
export async function bringResult(
  ctx: LaunchContext,
  entry: Entry,
  target: Target,
  ended: Ended,
  signal: AbortSignal,
): Promise<Ended> {
  const { collect } = target;
  if (!collect || ended.end.outcome !== 'success') return ended;
  noteBringing(ctx, entry);
  await again(ctx, () => setResultReady(ctx.db, entry.key.uuid));
  const until = ctx.now().getTime() + COLLECT_SECONDS * 1000;
  for (;;) {
    const leftMs = until - ctx.now().getTime();
    const how = { gone: entry.gone, overdue: leftMs <= 0, now: ctx.clusterNow() };
    const end = collect(entry.object.value?.is, ended.end, how);
    if (end) return { ...ended, end };
    await entry.object.changed({ signal, timeoutMs: Math.min(leftMs, LOOK_AGAIN_MS) });
  }
}

/** A task that ended at once may not have been seen to run, and this may last. */
function noteBringing(ctx: LaunchContext, entry: Entry): void {
  const { launch } = entry;
  const message = 'The task has succeeded; its result is being brought.';
  Object.assign(launch, { phase: 'started', reason: 'BringingResult', message });
  void ctx.save(entry);
  tellStart(ctx, entry, launch.startedAt);
}
