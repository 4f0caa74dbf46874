/** After its end, or when nobody wants it any more: nothing of a launch stays on the cluster, unless it is to be kept. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { LaunchFacts } from '#db/queries/launch-views.ts';
import type { Entry, LaunchContext } from './launch-context.ts';
import type { ObjectEnd, Target } from './target.ts';
import type { Ended } from './watch-to-end.ts';

const RETRY_MS = 2_000;
/** A node that is away never confirms: then it is taken off the cluster's books. */
const FORCE_AFTER_SECONDS = 300;
const FORCE_AGAIN_MS = 30_000;

/** `ended`: how it did; null: it was still to run, or running. */
export async function cleanUp(
  ctx: LaunchContext,
  entry: Entry,
  target: Target | null,
  ended: Ended | null,
): Promise<void> {
  // Also one that was asked for just now, and whose answer nobody waited for
  const mayBeThere = entry.launch.phase !== 'waiting';
  entry.launch.phase = 'ended';
  await ctx.save(entry);
  if (target && mayBeThere) {
    const end = ended?.end ?? endSeen(ctx, entry, target);
    await record(ctx, entry, target, ended);
    if (!isKept(entry.launch.onFinish ?? target.onFinish, end)) await remove(ctx, entry, target);
  }
  await ctx.drop(entry);
}

/** Its end is on record, from a launcher that had no time to clean up; or somebody gave it another one. */
const endSeen = (ctx: LaunchContext, entry: Entry, target: Target): ObjectEnd | null =>
  entry.object.value && !entry.gone ? target.see(entry.object.value.is, ctx.clusterNow()).end : null;

const isKept = (onFinish: string, end: ObjectEnd | null): boolean =>
  end !== null && (onFinish === 'keep' || (onFinish === 'keep_failed' && end.outcome === 'failed'));

/** Until it is gone for certain: a successor may wait for that. */
async function remove(ctx: LaunchContext, entry: Entry, target: Target): Promise<void> {
  const { cluster, log, stopped: signal } = ctx;
  const forceAt = ctx.now().getTime() + (target.limits.grace + FORCE_AFTER_SECONDS) * 1000;
  while (!entry.gone) {
    const isLate = ctx.now().getTime() >= forceAt;
    if (isLate) log.error({ cluster, name: target.name }, 'an object does not go: it is taken off the books');
    try {
      const answer = await target.remove({ uid: entry.launch.uid, ...(isLate && { graceSeconds: 0 }), signal });
      if (answer !== 'deleted') return;
      await goneOrLate(ctx, entry, isLate ? FORCE_AGAIN_MS : forceAt - ctx.now().getTime());
    } catch (error) {
      if (signal.aborted) throw error;
      log.warn({ error, cluster, name: target.name }, 'an object could not be deleted yet');
      await sleep(RETRY_MS, undefined, { signal });
    }
  }
}

async function goneOrLate(ctx: LaunchContext, entry: Entry, ms: number): Promise<void> {
  const until = ctx.now().getTime() + ms;
  while (!entry.gone && ctx.now().getTime() < until)
    await entry.object.changed({ signal: ctx.stopped, timeoutMs: Math.max(1, until - ctx.now().getTime()) });
}

/** For people; nothing depends on it. */
async function record(ctx: LaunchContext, entry: Entry, target: Target, ended: Ended | null): Promise<void> {
  const { launch } = entry;
  const isPlain = ended !== null && ended.end.outcome !== 'failed';
  const events = isPlain || launch.uid === null ? [] : await target.events(launch.uid).catch(() => []);
  const facts: LaunchFacts = {
    api: launch.api,
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
