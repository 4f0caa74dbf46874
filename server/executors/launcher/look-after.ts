/** The life of one launch, from its claim until nothing of it is left on the cluster. */
import { setTimeout as sleep } from 'node:timers/promises';
import { formatDispatchId } from '#db/engine/dispatch-id.ts';
import { findLogEnd } from '#db/queries/launches.ts';
import type { ReportAnswer, TaskReport } from '#sdk/protocol.ts';
import { createMask } from '../../runner/mask.ts';
import { again } from './again.ts';
import { bringResult } from './bring-result.ts';
import { cleanUp } from './clean-up.ts';
import { createObject } from './create-object.ts';
import { FENCED, type Entry, type LaunchContext } from './launch-context.ts';
import { followLog, type LogFollower } from './follow-log.ts';
import { openLaunchLog, type LaunchLog } from './launch-log.ts';
import { refusedReport, reportOf } from './report-end.ts';
import { LaunchRefused, type Target } from './target.ts';
import { watchToEnd, type Ended } from './watch-to-end.ts';

const LAST_WORDS_MS = 5_000;

/** Rejects only when this process stops: another one then goes on. */
export async function lookAfter(ctx: LaunchContext, entry: Entry): Promise<void> {
  const { signal } = entry.leave;
  let target: Target | null = null;
  let ended: Ended | null = null;
  let log: LaunchLog | null = null;
  let follower: LogFollower | null = null;
  try {
    signal.throwIfAborted();
    target = await prepare(ctx, entry);
    log = await openLog(ctx, entry, target);
    follower = followLog(ctx, target, log);
    await createObject(ctx, entry, target, signal);
    ended = await watchToEnd(ctx, entry, target, follower.begin, signal);
    ctx.metrics.took('run', ended.seen?.startedAt, ended.seen?.finishedAt);
    await follower.complete(ended.stopped);
    ended = await bringResult(ctx, entry, target, ended, signal);
    const told = await endReport(ctx, entry, target, ended, log);
    // Whoever leaves may have left half of its output, too
    signal.throwIfAborted();
    await report(ctx, told);
  } catch (error) {
    if (ctx.stopped.aborted) {
      follower?.leave();
      throw error;
    }
    if (error instanceof LaunchRefused) await report(ctx, refusedReport(entry, error, 0, maskOf(entry)));
    else if (error !== FENCED && signal.reason !== FENCED) await giveUp(ctx, entry, error);
  }
  target ??= await leftBehind(ctx, entry);
  await cleanUp(ctx, entry, target, ended);
  // What it said while it was being stopped
  if (ended === null) await Promise.race([follower?.complete(true), sleep(LAST_WORDS_MS, undefined, { ref: false })]);
  follower?.leave();
  await log?.complete();
}

const maskOf = (entry: Entry) => createMask(entry.dispatch?.secrets ?? []);

async function prepare(ctx: LaunchContext, entry: Entry): Promise<Target> {
  entry.dispatch ??= await again(ctx, async () => (await ctx.engine.redispatch([entry.key]))[0] ?? null);
  if (!entry.dispatch) throw FENCED;
  const missing = Object.values(entry.dispatch.unreadable)[0];
  if (missing !== undefined) throw new LaunchRefused('value_missing', missing);
  return ctx.targetOf(entry.dispatch);
}

async function openLog(ctx: LaunchContext, entry: Entry, target: Target): Promise<LaunchLog> {
  const isOwn = target.kind !== 'runner';
  const stored =
    entry.adopted && isOwn ? await again(ctx, () => findLogEnd(ctx.db, entry.key)) : { bytes: 0, tail: '' };
  return openLaunchLog({
    dispatchId: formatDispatchId(entry.key),
    secrets: entry.dispatch?.secrets ?? [],
    shipper: ctx.shipper,
    isHeld: ctx.isLogHeld,
    onFirstLine: () => ctx.metrics.took('first_log', entry.launch.createdAt, ctx.clusterNow()),
    stored,
  });
}

/** A runner has told its end itself, or never will. */
async function endReport(
  ctx: LaunchContext,
  entry: Entry,
  target: Target,
  { end }: Ended,
  log: LaunchLog,
): Promise<TaskReport> {
  if (target.kind !== 'runner') return reportOf(entry, target, end, await log.complete(), maskOf(entry));
  const isCurrent = await again(ctx, async () => (await ctx.engine.redispatch([entry.key])).length > 0);
  if (!isCurrent) throw FENCED;
  const { bytes } = await again(ctx, () => findLogEnd(ctx.db, entry.key));
  if (end.outcome === 'failed' && end.cause !== 'exit_code') return reportOf(entry, target, end, bytes, maskOf(entry));
  const lines = await target.lastLines().catch(() => []);
  const message = `The runner in the Pod ended (exit code ${end.exitCode ?? 'unknown'}) without a report.`;
  const evidence = { ...end.evidence, lastLines: lines };
  return reportOf(
    entry,
    target,
    { ...end, outcome: 'failed', cause: 'worker_lost', message, evidence },
    bytes,
    maskOf(entry),
  );
}

/** Whatever the answer: once it is answered, the end is on record, or another end is. */
async function report(ctx: LaunchContext, what: TaskReport): Promise<ReportAnswer> {
  ctx.metrics.reported(what);
  const { answers } = await again(ctx, () => ctx.engine.report({ workerId: ctx.workerId, reports: [what] }));
  return answers[0] ?? 'UNKNOWN';
}

/** A fault of ours must not keep a task for ever. */
async function giveUp(ctx: LaunchContext, entry: Entry, error: unknown): Promise<void> {
  ctx.log.error({ error, cluster: ctx.cluster, dispatchId: formatDispatchId(entry.key) }, 'a launch broke');
  const message = error instanceof Error ? error.message : String(error);
  await report(ctx, refusedReport(entry, new LaunchRefused('start_failed', message), 0, maskOf(entry)));
}

/** Nobody wants it, and what it was to be is not known any more: what is there must go all the same. */
async function leftBehind(ctx: LaunchContext, entry: Entry): Promise<Target | null> {
  const { kind, namespace, name } = entry.launch;
  return kind && namespace && name ? ctx.remains(entry.launch) : null;
}
