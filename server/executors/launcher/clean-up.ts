/** After its end, or when nobody wants it any more: nothing of a launch stays on the cluster, unless it is to be kept. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { LaunchFacts } from '#db/queries/launch-views.ts';
import type { Entry, LaunchContext } from './launch-context.ts';
import type { ObjectEnd, Target } from './target.ts';
import type { Ended } from './watch-to-end.ts';

const RETRY_MS = 2_000;
/** A node that is away never confirms: then it is taken off the cluster's books. */
const FORCE_AFTER_SECONDS = 300;

/** `ended`: how it did; null: it was still to run, or running. */
export async function cleanUp(
  ctx: LaunchContext,
  entry: Entry,
  target: Target | null,
  ended: Ended | null,
): Promise<void> {
  entry.launch.phase = 'ended';
  await ctx.save(entry);
  if (target && (entry.object.value || entry.launch.uid)) {
    await record(ctx, entry, target, ended);
    if (!isKept(target, ended?.end ?? null)) await remove(ctx, entry, target);
  }
  await ctx.drop(entry);
}

const isKept = ({ onFinish }: Target, end: ObjectEnd | null): boolean =>
  end !== null && (onFinish === 'keep' || (onFinish === 'keep_failed' && end.outcome === 'failed'));

/** Until it is gone for certain: a successor may wait for that. */
async function remove(ctx: LaunchContext, entry: Entry, target: Target): Promise<void> {
  const forceAt = ctx.now().getTime() + (target.limits.grace + FORCE_AFTER_SECONDS) * 1000;
  let told = false;
  while (!entry.gone) {
    const force = ctx.now().getTime() >= forceAt;
    try {
      if (!told || force) {
        if (force)
          ctx.log.error(
            { cluster: ctx.cluster, name: target.name },
            'an object does not go: it is taken off the books',
          );
        const answer = await target.remove({ uid: entry.launch.uid, ...(force && { graceSeconds: 0 }) });
        if (answer !== 'deleted') return;
        told = true;
      }
      const timeoutMs = Math.max(1, Math.min(forceAt - ctx.now().getTime(), 30_000));
      if (!entry.gone) await entry.object.changed({ signal: ctx.stopped, timeoutMs });
      // The watch would have said so; ask all the same
      if (!entry.gone && ctx.now().getTime() >= forceAt) told = false;
    } catch (error) {
      if (ctx.stopped.aborted) throw error;
      ctx.log.warn({ error, cluster: ctx.cluster, name: target.name }, 'an object could not be deleted yet');
      await sleep(RETRY_MS, undefined, { signal: ctx.stopped });
    }
  }
}

/** For people; nothing depends on it. */
async function record(ctx: LaunchContext, entry: Entry, target: Target, ended: Ended | null): Promise<void> {
  const { launch } = entry;
  const isPlain = ended !== null && ended.end.outcome !== 'failed';
  const events = isPlain || launch.uid === null ? [] : await target.events(launch.uid).catch(() => []);
  const facts: LaunchFacts = {
    cluster: ctx.cluster,
    kind: target.kind,
    namespace: target.namespace,
    name: target.name,
    uid: launch.uid,
    node: launch.node,
    createdAt: launch.createdAt?.toISOString() ?? null,
    scheduledAt: launch.scheduledAt?.toISOString() ?? null,
    startedAt: launch.startedAt?.toISOString() ?? null,
    finishedAt: ended?.seen?.finishedAt?.toISOString() ?? null,
    events: events.map((event) => ({ ...event })),
  };
  await ctx.record({ launch, facts });
}
