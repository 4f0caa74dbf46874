/** Deletes what has been kept long enough: in small pieces, with pauses, and nothing that anybody needs. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Db } from '#db/client.ts';
import { deleteLogs, deleteResults, deleteRuns } from '#db/queries/delete-runs.ts';
import {
  countExpiredRuns,
  listAgedRuns,
  listExpiredRuns,
  listLogSizes,
  moveRetentionMark,
  readRetentionMark,
} from '#db/queries/expired-runs.ts';
import { deleteOldRows, OLD_ROWS } from '#db/queries/old-rows.ts';
import { dropSpan, isSpanAged, listOldSpans, type OldSpan } from '#db/queries/old-spans.ts';
import { listDagPolicies, readRetentionPolicies, type DagPolicy } from '#db/queries/retention-policy.ts';

const PAUSE_MS = 20;
const RUNS_AT_ONCE = 200;
/** Of runs that are deleted together: so many rows that nobody waits for them. */
const EVENTS_AT_ONCE = 5_000;

/** How many of what. */
export interface Deleted {
  [what: string]: number;
}

export interface RetentionDeps {
  db: Db;
  signal: AbortSignal;
  /** After each piece. */
  onDeleted(what: string, count: number): Promise<void> | void;
}

export async function runRetention(deps: RetentionDeps): Promise<void> {
  const policies = await listDagPolicies(deps.db);
  await emptySpans(deps, policies);
  for (const policy of policies) {
    if (policy.runs !== null) await deleteExpiredRuns(deps, policy);
    if (policy.logs !== null) await deleteAged(deps, policy, 'logs', policy.logs, deleteLogs);
    if (policy.results !== null) await deleteAged(deps, policy, 'results', policy.results, deleteResults);
    if (policy.logBytes !== null) await deleteLogsBeyond(deps, policy, policy.logBytes);
  }
  const service = await readRetentionPolicies(deps.db);
  for (const what of OLD_ROWS) {
    const seconds = service[what];
    if (seconds !== null) await repeat(deps, what, () => deleteOldRows(deps.db, what, seconds));
  }
  for (const span of await listOldSpans(deps.db))
    if (!span.hasRuns && (await dropSpan(deps.db, span))) await deps.onDeleted('partitions', 1);
}

/** Runs of a span of days that all go: their rows stand in partitions that are dropped next. */
async function emptySpans(deps: RetentionDeps, policies: readonly DagPolicy[]): Promise<void> {
  for (const span of await listOldSpans(deps.db))
    if (span.hasRuns && (await goesWhole(deps.db, span, policies)))
      for (const policy of policies) if (policy.runs !== null) await deleteExpiredRuns(deps, policy, span);
}

/** Every run of the span may be deleted. */
export async function goesWhole(db: Db, span: OldSpan, policies: readonly DagPolicy[]): Promise<boolean> {
  const aged = await isSpanAged(db, span, policies);
  if (aged === null) return false;
  let expired = 0;
  for (const policy of policies) if (policy.runs !== null) expired += await countExpiredRuns(db, policy, span);
  return expired === aged.runs;
}

async function deleteExpiredRuns(deps: RetentionDeps, policy: DagPolicy, span?: OldSpan): Promise<void> {
  for (let after = 0; !deps.signal.aborted;) {
    const expired = await listExpiredRuns(deps.db, policy, {
      ...{ after, limit: RUNS_AT_ONCE },
      ...(span && { span }),
    });
    if (expired.length === 0) return;
    let some: number[] = [];
    let events = 0;
    for (const run of expired) {
      some.push(run.id);
      events += run.events;
      if (events < EVENTS_AT_ONCE && run !== expired.at(-1)) continue;
      const count = await deleteRuns(deps.db, some, span ? 'named' : 'all');
      if (count > 0) await deps.onDeleted('runs', count);
      some = [];
      events = 0;
      await pause(deps);
    }
    after = expired.at(-1)!.id;
  }
}

/** What belongs to runs that stay. */
async function deleteAged(
  deps: RetentionDeps,
  { dagId }: DagPolicy,
  what: 'logs' | 'results',
  seconds: number,
  remove: (db: Db, runIds: readonly number[]) => Promise<void>,
): Promise<void> {
  let isContiguous = true;
  for (let after = await readRetentionMark(deps.db, dagId, what); !deps.signal.aborted;) {
    const runs = await listAgedRuns(deps.db, { dagId, seconds, after, limit: RUNS_AT_ONCE });
    if (runs.length === 0) return;
    const over = runs.filter(({ isOver }) => isOver).map(({ id }) => id);
    await remove(deps.db, over);
    if (over.length > 0) await deps.onDeleted(`runs without ${what}`, over.length);
    const firstLeft = runs.findIndex(({ isOver }) => !isOver);
    const upTo = firstLeft < 0 ? runs.at(-1) : runs[firstLeft - 1];
    if (isContiguous && upTo) await moveRetentionMark(deps.db, dagId, what, upTo.id);
    isContiguous &&= firstLeft < 0;
    after = runs.at(-1)!.id;
    await pause(deps);
  }
}

/** The oldest logs go as far as all together are too large. */
async function deleteLogsBeyond(deps: RetentionDeps, { dagId }: DagPolicy, most: number): Promise<void> {
  const mark = await readRetentionMark(deps.db, dagId, 'logBytes');
  let sum = 0;
  for (let before = Number.MAX_SAFE_INTEGER; !deps.signal.aborted;) {
    const sizes = (await listLogSizes(deps.db, { dagId, before, limit: RUNS_AT_ONCE })).filter(({ id }) => id > mark);
    if (sizes.length === 0) return;
    const beyond = sizes.filter(({ bytes }) => (sum += bytes) > most).map(({ id }) => id);
    await deleteLogs(deps.db, beyond);
    if (beyond[0] !== undefined) {
      await moveRetentionMark(deps.db, dagId, 'logBytes', beyond[0]);
      await deps.onDeleted('runs without logs', beyond.length);
    }
    before = sizes.at(-1)!.id;
    await pause(deps);
  }
}

async function repeat(deps: RetentionDeps, what: string, remove: () => Promise<number>): Promise<void> {
  for (let isMore = true; isMore && !deps.signal.aborted;) {
    const count = await remove();
    if (count > 0) await deps.onDeleted(what, count);
    isMore = count > 0;
    if (isMore) await pause(deps);
  }
}

const pause = ({ signal }: RetentionDeps): Promise<void> =>
  sleep(PAUSE_MS, undefined, { signal }).catch(() => undefined);
