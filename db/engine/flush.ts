/** One flush: the transaction that applies a batch. Lock order: DAGs, then runs, then gates, then task instances; each in an order of its own. */
import type pg from 'pg';
import type { ReportAnswer } from '#sdk/protocol.ts';
import { CLAIM_LAUNCHES, CLAIM_TASKS, LOCK_READY, LOCK_ROWS } from '#db/queries/task-transitions/claim-tasks.ts';
import { EXPLAIN_REFUSALS } from '#db/queries/task-transitions/explain-refusals.ts';
import { FINISH_ROW } from '#db/queries/task-transitions/finish-tasks.ts';
import { parseReady, READY_ROWS, type ReadyRow } from '#db/queries/task-transitions/ready-rows.ts';
import { LOCK_RUNS } from '#db/queries/task-transitions/lock-runs.ts';
import { REVIEW_TASKS } from '#db/queries/task-transitions/review-tasks.ts';
import { REVIEW_WAITS } from '#db/queries/task-transitions/review-waits.ts';
import { arrayLiteral } from '#db/queries/task-transitions/statement.ts';
import { WAKE_TASKS } from '#db/queries/task-transitions/wake-tasks.ts';
import { admitRuns, type FollowUp } from './admit-gated.ts';
import { findUnexpanded } from './expand-tasks.ts';
import { sendFinishes, type FinishResult } from './finish-rounds.ts';
import type { FinishRow, Slots } from './flush-plan.ts';
import { dispatchColumns, keyColumns, readyColumns, type InstanceKey } from './key-columns.ts';
import { sendAside, sendResume } from './set-aside.ts';
import { sendStarted, sendStartToEnd, sendTold } from './starting.ts';
import { splitFinishes, type Finishes } from './split-finishes.ts';
import { createAndStart, type Started } from './start-runs.ts';
import { beginTransaction, type Transaction } from './transaction.ts';
import type { Versions } from './versions.ts';
import type { AsideRow, Batch, ClaimedTask, ClaimRequest, FinishItem, WorkItem } from './work-items.ts';

export interface Flushed {
  /** Did not fit beside the others: for the next flush. */
  later: WorkItem[];
  /** DAGs that may have room for a queued run now. */
  startable: number[];
  /** What admission has left to do. */
  admittable: FollowUp | null;
  /** DAGs whose new runs may take the place of others. */
  contested: number[];
  /** For the broker, if there is one. */
  ready: ReadyRow[];
}

/** They are answered with nothing but that they are done. */
type PlainItem = Extract<WorkItem, { kind: 'running' | 'tell' | 'wake' | 'review' | 'admit' }>;
const PLAIN: ReadonlySet<WorkItem['kind']> = new Set<PlainItem['kind']>(['running', 'tell', 'wake', 'review', 'admit']);

interface FlushContext {
  versions: Versions;
  /** Queues of which nothing is handed over. */
  paused: ReadonlySet<string>;
  /** A broker is to hear what became ready. */
  tells: boolean;
}

/** Applies the batch, commits, then answers every item that is not in `later`. Throws with nothing applied and nothing answered. */
export async function runFlush(
  client: pg.Client,
  batch: Batch,
  { versions, paused, tells }: FlushContext,
): Promise<Flushed> {
  const tx = beginTransaction(client);
  const started = await createAndStart(tx, batch, versions);
  const finishes = splitFinishes(batch);
  const slots = slotsOf(finishes.ready, paused);
  const changes = await applyChanges(tx, { batch, finishes, started, slots, versions });
  const claims = sendClaims(tx, batch, finishes.ready, slots);
  const told = tells ? tx.send<{ ready: string | null }>(READY_ROWS, []) : null;
  await tx.commit();

  const answers = await Promise.all(changes.finished);
  const results = answers.flat();
  await answerReports(client, finishes, answers[0] ?? [], await changes.aside);
  started.answer();
  for (const item of batch.items) if (PLAIN.has(item.kind)) (item as PlainItem).resolve();
  await deliver(claims, handedOver(results, finishes), finishes.ready);
  const ended = results.flatMap((row) => (row.kind === FINISH_ROW.runEnded ? [row.extra] : []));
  return {
    later: finishes.later,
    startable: [...new Set([...ended, ...started.more])],
    admittable: changes.admittable,
    contested: started.contested,
    ready: parseReady((await told)?.[0]?.ready ?? null),
  };
}

/** Only a worker whose reports all go out now offers its slots: what it asked for counts them as free. */
function slotsOf(items: FinishItem[], paused: ReadonlySet<string>): Map<number, Slots> {
  const slots = new Map<number, Slots>();
  for (const { claim } of items) {
    if (!claim) continue;
    const known = slots.get(claim.workerId);
    if (known) known.free += claim.limit;
    else {
      const queues = new Set(claim.queues.filter((queue) => !paused.has(queue)));
      slots.set(claim.workerId, { queues, free: claim.limit });
    }
  }
  return slots;
}

interface Changes {
  /** The first answers for the reports, the others for what followed from them. */
  finished: Promise<FinishResult[]>[];
  aside: Promise<{ n: number }[]>;
  admittable: FollowUp | null;
}

const REVIEWS = [REVIEW_TASKS, REVIEW_WAITS];

interface ChangeInput {
  batch: Batch;
  finishes: Finishes;
  started: Started;
  slots: ReadonlyMap<number, Slots>;
  versions: Versions;
}

async function applyChanges(tx: Transaction, input: ChangeInput): Promise<Changes> {
  const { batch, finishes, started, slots, versions } = input;
  const wakes = batch.items.flatMap((item) => (item.kind === 'wake' ? item.keys : []));
  const reviews = batch.items.flatMap((item) => (item.kind === 'review' ? item.runIds : []));
  const running = batch.items.flatMap((item) => (item.kind === 'running' ? item.started : []));
  const told = batch.items.flatMap((item) => (item.kind === 'tell' ? item.told : []));
  const rows = [...finishes.rows, ...started.settled];
  const admits = batch.items.filter((item) => item.kind === 'admit');
  const admit = new Set([
    ...started.admit,
    ...wakes.map((key) => key.runId),
    ...reviews,
    ...admits.flatMap((item) => item.runIds),
  ]);
  const locks = new Set([...admit, ...[...rows, ...finishes.aside, ...running, ...told].map((row) => row.runId)]);
  if (locks.size === 0) return { finished: [], aside: Promise.resolve([]), admittable: null };

  void tx.send(LOCK_RUNS, [arrayLiteral([...locks])]);
  sendStarted(tx, running);
  sendTold(tx, told);
  if (wakes.length > 0) void tx.send(WAKE_TASKS, keyColumns(wakes));
  for (const review of reviews.length > 0 ? REVIEWS : []) void tx.send(review, [arrayLiteral(reviews)]);
  const aside = finishes.aside.length > 0 ? sendAside(tx, finishes.aside) : Promise.resolve([]);
  // Awaited after the commit, which tells of its failure; until then it is nobody's
  aside.catch(() => undefined);
  const holders: InstanceKey[] = finishes.aside.filter((row) => row.how !== 'released');
  for (const { runId } of holders) admit.add(runId);
  sendResume(tx, finishes.rows);
  sendStartToEnd(tx, finishes.rows);
  const unexpanded = [...started.unexpanded, ...(await findUnexpanded(tx, reviews, versions))];
  const finished =
    rows.length + unexpanded.length > 0 ? await sendFinishes(tx, { rows, unexpanded, slots, admit, holders }) : [];
  const admittable = await admitRuns(tx, { admit, admits, holders, versions });
  return { finished, aside, admittable };
}

interface SentClaim {
  rows: Promise<ClaimRow[]>;
  give(claimed: ClaimedTask[]): void;
}

interface ClaimRow {
  run_id: number;
  task_index: number;
  map_index: number;
  dispatch_id: string;
  try_number: number;
  max_tries: number;
  version_id: number;
}

function sendClaims(
  tx: Transaction,
  batch: Batch,
  ready: FinishItem[],
  slots: ReadonlyMap<number, Slots>,
): Map<unknown, SentClaim> {
  const claims = new Map<unknown, SentClaim>();
  const send = (
    owner: unknown,
    { workerId, queues, limit, cluster, rows: named }: ClaimRequest,
    give: SentClaim['give'],
  ) => {
    if (limit <= 0 || named?.length === 0) return claims.set(owner, { rows: Promise.resolve([]), give });
    if (named) void tx.send(LOCK_ROWS, readyColumns(named));
    else void tx.send(LOCK_READY, [queues, limit]);
    const rows =
      cluster === undefined
        ? tx.send<ClaimRow>(CLAIM_TASKS, [workerId, limit])
        : tx.send<ClaimRow>(CLAIM_LAUNCHES, [workerId, limit, cluster]);
    return claims.set(owner, { rows, give });
  };
  for (const item of ready) {
    if (!item.claim) continue;
    const free = slots.get(item.claim.workerId);
    const left = Math.min(item.claim.limit, free?.free ?? 0);
    if (free) free.free -= left;
    send(item, { ...item.claim, limit: left }, (claimed) => item.resolve(claimed));
  }
  for (const item of batch.items) if (item.kind === 'claim') send(item, item.claim, (claimed) => item.resolve(claimed));
  for (const { claimer, limit } of batch.locals) {
    send(claimer, { workerId: claimer.workerId, queues: claimer.queues, limit }, (claimed) =>
      claimer.deliver(claimed, limit),
    );
  }
  return claims;
}

async function answerReports(
  client: pg.Client,
  finishes: Finishes,
  results: FinishResult[],
  aside: { n: number }[],
): Promise<void> {
  const accepted = new Set<FinishRow | AsideRow | undefined>([
    ...results.flatMap((row) => (row.kind === FINISH_ROW.accepted ? [finishes.rows[row.a - 1]] : [])),
    ...aside.map((row) => finishes.aside[row.n - 1]),
  ]);
  const refused: (FinishRow | AsideRow)[] = [];
  for (const key of [...finishes.rows, ...finishes.aside]) {
    if (accepted.has(key)) finishes.itemOf.get(key)?.answer(key, 'ACCEPTED');
    else refused.push(key);
  }
  if (refused.length === 0) return;
  const { rows } = await client.query<{ n: number; answer: ReportAnswer }>({
    ...EXPLAIN_REFUSALS,
    values: [...dispatchColumns(refused), ...endColumns(refused)],
  });
  for (const { n, answer } of rows) {
    const key = refused[n - 1];
    if (key) finishes.itemOf.get(key)?.answer(key, answer);
  }
}

function handedOver(results: FinishResult[], finishes: Finishes): Map<number, ClaimedTask[]> {
  const versionOf = new Map(finishes.rows.map((row) => [row.runId, row.dag.versionId]));
  const handed = new Map<number, ClaimedTask[]>();
  for (const row of results) {
    if (row.kind !== FINISH_ROW.changed || row.state !== 'running') continue;
    const task = claimedTask({ ...row, run_id: row.a, version_id: versionOf.get(row.a) ?? 0 });
    handed.set(row.worker_id, [...(handed.get(row.worker_id) ?? []), task]);
  }
  return handed;
}

/** No item gets more than it asked for: its worker has no slots for it. */
async function deliver(
  claims: Map<unknown, SentClaim>,
  handed: Map<number, ClaimedTask[]>,
  ready: FinishItem[],
): Promise<void> {
  for (const item of ready) if (!item.claim) item.resolve([]);
  for (const [owner, { rows, give }] of claims) {
    const claimed = (await rows).map(claimedTask);
    const claim = ready.find((item) => item === owner)?.claim;
    if (claim) claimed.push(...(handed.get(claim.workerId)?.splice(0, claim.limit - claimed.length) ?? []));
    give(claimed);
  }
}

const claimedTask = (row: ClaimRow): ClaimedTask => ({
  runId: row.run_id,
  taskIndex: row.task_index,
  mapIndex: row.map_index,
  uuid: row.dispatch_id,
  tryNumber: row.try_number,
  maxTries: row.max_tries,
  versionId: row.version_id,
});

/** How each row says its try ended, in the words of task_try; deferred: it ended nothing; nulls: it was handed back or put off. */
const endColumns = (rows: readonly (FinishRow | AsideRow)[]): string[] => {
  const ends = rows.map((row) =>
    'outcome' in row ? row : { outcome: row.how === 'deferred' ? row.how : null, cause: null },
  );
  return [
    arrayLiteral(ends.map(({ outcome }) => (outcome === 'up_for_retry' ? 'failed' : outcome))),
    arrayLiteral(ends.map(({ cause }) => cause)),
  ];
};
