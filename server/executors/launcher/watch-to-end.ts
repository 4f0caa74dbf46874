/** From an object on the cluster to its end, however it comes. */
import type { Entry, LaunchContext } from './launch-context.ts';
import { noteSteps } from './launch-metrics.ts';
import type { ObjectEnd, Seen, Target } from './target.ts';
import { timeLimit, type TimeLimit } from './time-limits.ts';
import { removeUntilTold } from './until-told.ts';

/** What is wrong before the start may become hopeless by lasting. */
const LOOK_AGAIN_MS = 15_000;
/** Beyond the time for ending by itself: until the node has said so. */
const KILL_MARGIN_SECONDS = 30;

export interface Ended {
  end: ObjectEnd;
  seen: Seen | null;
  /** By us. */
  stopped: boolean;
}

/** `begin`: its output may be there. */
export async function watchToEnd(
  ctx: LaunchContext,
  entry: Entry,
  target: Target,
  begin: () => void,
  signal: AbortSignal,
): Promise<Ended> {
  for (;;) {
    const now = ctx.clusterNow();
    const last = entry.object.value?.is;
    let seen = last === undefined ? null : target.see(last, now);
    // What a registry answered stands in the events alone
    if (seen?.fatal) seen = target.see(last, now, await target.events(seen.uid ?? '').catch(() => []));
    if (seen) note(ctx, entry, seen);
    if (seen?.startedAt || seen?.end) begin();
    if (seen?.end) return { end: seen.end, seen, stopped: false };
    if (entry.gone) return { end: target.whenGone(last, false), seen, stopped: false };
    const limit = limitOf(target, seen, now);
    if (limit && limit.at <= now) return stop(ctx, entry, target, { limit, seen }, signal);
    const wait = limit ? limit.at.getTime() - now.getTime() : undefined;
    const timeoutMs = seen?.phase === 'started' ? wait : Math.min(wait ?? LOOK_AGAIN_MS, LOOK_AGAIN_MS);
    await entry.object.changed({ signal, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
  }
}

function limitOf(target: Target, seen: Seen | null, now: Date): TimeLimit | null {
  if (seen?.fatal) return { at: now, ...seen.fatal };
  return timeLimit(target.limits, seen);
}

/** Writes down how far it is, and has the engine say that it runs. */
function note(ctx: LaunchContext, entry: Entry, seen: Seen): void {
  const { launch } = entry;
  const phase = seen.phase === 'pending' ? 'created' : seen.phase === 'ended' ? launch.phase : seen.phase;
  const { uid, node, createdAt, scheduledAt, startedAt } = seen;
  if (phase === 'started') tellStart(ctx, entry, startedAt);
  const isWaiting = phase !== 'started';
  const state = { phase, uid, node, createdAt, scheduledAt, startedAt };
  const why = { reason: isWaiting ? seen.reason : null, message: isWaiting ? seen.message : null };
  const next = { ...state, ...why };
  const isSame = Object.entries(next).every(([key, value]) => sameValue(launch[key as keyof typeof next], value));
  if (isSame) return;
  noteSteps(ctx.metrics, launch, seen);
  Object.assign(launch, next);
  void ctx.save(entry);
}

/** Whoever takes a launch over tells it once more: it does no harm. Where it fails, the end is taken without it. */
export function tellStart(ctx: LaunchContext, entry: Entry, startedAt: Date | null): void {
  if (entry.isStartTold) return;
  entry.isStartTold = true;
  ctx.engine
    .start([{ ...entry.key, startedAt }])
    .catch((error: unknown) => ctx.log.warn({ error }, 'a start was not recorded'));
}

const sameValue = (a: unknown, b: unknown): boolean =>
  a instanceof Date && b instanceof Date ? a.getTime() === b.getTime() : a === b;

/** Its time is over: it is asked to end, then made to. What it says meanwhile belongs to its log. */
async function stop(
  ctx: LaunchContext,
  entry: Entry,
  target: Target,
  { limit, seen }: { limit: TimeLimit; seen: Seen | null },
  signal: AbortSignal,
): Promise<Ended> {
  await removeUntilTold(ctx, entry, target, signal);
  const until = ctx.now().getTime() + (target.limits.grace + KILL_MARGIN_SECONDS) * 1000;
  let last = seen;
  // Of one that never began there is nothing to wait for: what takes its place waits until it is gone
  while (seen?.phase === 'started' && !entry.gone && ctx.now().getTime() < until) {
    await entry.object.changed({ signal, timeoutMs: until - ctx.now().getTime() });
    last = entry.object.value ? target.see(entry.object.value.is, ctx.clusterNow()) : last;
    if (last?.end) break;
  }
  const known = last?.end ?? target.whenGone(entry.object.value?.is, true);
  const { at: _, retryable = true, ...how } = limit;
  return { end: { ...known, ...how, outcome: 'failed', free: false, retryable }, seen: last, stopped: true };
}
