import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { DagSpec, TimeSchedule } from '#sdk/dag-spec.ts';
import type { EventBody } from '#db/queries/events.ts';
import { setDagPaused } from '#db/queries/dag.ts';
import { createDueRuns } from '#server/scheduler/create-due-runs.ts';
import { applyRunRules, failFast, failuresOf, reviewContinuousDags } from '#server/scheduler/run-rules.ts';
import { timeOutRuns } from '#server/scheduler/time-out-runs.ts';
import { checkRuns } from '../helpers/check-runs.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { createTestEngine, dagOf, reportOf, runStateOf, statesOf, work } from '../helpers/engine.ts';

const database = await createTestDatabase();
const { db, pool } = database;
const engine = createTestEngine(database);
const workerId = await engine.worker();
afterAll(async () => {
  await checkRuns(database);
  await engine.stop();
});
/** Nothing of one test is due, or claimed, in the next. */
afterEach(async () => {
  await pool.query('update dag set paused = true');
  const { rows } = await pool.query<{ id: number }>(`select id from dag_run where state in ('queued', 'running')`);
  for (const { id } of rows) await engine.cancelRun(id, 'test');
});

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const midnight = (days: number) => new Date(Math.floor(Date.now() / DAY) * DAY + days * DAY);
const daily: TimeSchedule = { kind: 'cron', expressions: ['@daily'] };
const since = (days: number, more: Partial<DagSpec> = {}): Partial<DagSpec> => ({
  schedule: daily,
  startDate: midnight(-days).toISOString(),
  ...more,
});

let names = 0;
const deploy = async (options: Partial<DagSpec>, tasks: Parameters<typeof dagOf>[1] = { a: [] }) => {
  const spec = dagOf(`dag_${++names}`, tasks, options);
  return { spec, ...(await engine.deploy(spec)) };
};
/** Makes all that is due by now. */
const settle = async () => {
  while ((await createDueRuns(db, engine)) === 0);
};
const pause = (dagId: number) => setDagPaused(db, dagId, true, 'anna');
const unpause = (dagId: number) => setDagPaused(db, dagId, false, 'anna');

async function runsOf(dagId: number) {
  const { rows } = await pool.query<{
    id: number;
    state: string;
    logical_date: Date;
    interval_start: Date;
    interval_end: Date;
  }>('select id, state, logical_date, interval_start, interval_end from dag_run where dag_id = $1 order by id', [
    dagId,
  ]);
  return rows;
}
const datesOf = async (dagId: number) => (await runsOf(dagId)).map((run) => run.logical_date);
const runStates = async (dagId: number) => (await runsOf(dagId)).map((run) => run.state);
const dagRow = async (dagId: number) => (await pool.query('select * from dag where id = $1', [dagId])).rows[0];

/** Lets the rules see every event of the DAG's runs, again and again: seeing one twice changes nothing. */
async function applyRules(dagId: number) {
  const { rows } = await pool.query<{ run_id: number; run_seq: number; at: Date; body: EventBody }>(
    'select run_id, run_seq, at, body from event where run_id in (select id from dag_run where dag_id = $1) order by run_id, run_seq',
    [dagId],
  );
  const events = rows.map(({ run_id: runId, run_seq: runSeq, at, body }) => ({ runId, dagId, runSeq, at, body }));
  await failFast(db, engine, failuresOf(events));
  await db.transaction().execute((trx) => applyRunRules(trx, events));
}

async function triggered(dagId: number, more: { kind?: 'manual' | 'backfill' } = {}) {
  const [run] = await engine.createRuns([{ dagId, kind: 'manual', ...more }]);
  return run!.runId;
}
const claimOne = async () => (await engine.claim({ workerId, queues: ['default'], limit: 1 }))[0]!;

describe('A schedule by trigger time', () => {
  it('makes a run for every slot since the start when the DAG catches up', async () => {
    const { dagId } = await deploy(since(3, { catchup: true }));
    await settle();
    expect(await datesOf(dagId)).toEqual([-3, -2, -1, 0].map(midnight));
  });

  it('makes no run for the past of a new DAG that does not catch up', async () => {
    const { dagId } = await deploy(since(3));
    await settle();
    expect(await datesOf(dagId)).toEqual([]);
    expect(await dagRow(dagId)).toMatchObject({ next_run_at: midnight(1), next_logical_date: midnight(1) });
  });

  it('makes one run, for the newest slot, when the scheduler was away for some', async () => {
    const { dagId } = await deploy(since(9));
    await dueAt(dagId, midnight(-4));
    await settle();
    expect(await datesOf(dagId)).toEqual([midnight(-4), midnight(0)]);
  });

  it('makes no run for what passed while the DAG was paused', async () => {
    const { dagId } = await deploy(since(9));
    await dueAt(dagId, midnight(-4));
    await pause(dagId);
    await settle();
    await unpause(dagId);
    await settle();
    expect(await datesOf(dagId)).toEqual([]);
  });

  it('makes up for what passed while the DAG was paused when it catches up', async () => {
    const { dagId } = await deploy(since(2, { catchup: true, pausedOnCreation: true }));
    await settle();
    expect(await datesOf(dagId)).toEqual([]);
    await unpause(dagId);
    await settle();
    expect(await datesOf(dagId)).toEqual([-2, -1, 0].map(midnight));
  });

  it('ends with its end date, which is the last logical date', async () => {
    const { dagId } = await deploy(since(3, { catchup: true, endDate: midnight(-2).toISOString() }));
    await settle();
    expect(await datesOf(dagId)).toEqual([-3, -2].map(midnight));
    expect((await dagRow(dagId)).next_run_at).toBeNull();
  });

  it('keeps a slot that is due when the DAG is deployed again with the same timetable', async () => {
    const { dagId, spec } = await deploy(since(9));
    await dueAt(dagId, midnight(0));
    await engine.deploy({ ...spec, description: 'another version' });
    await settle();
    expect(await datesOf(dagId)).toEqual([midnight(0)]);
  });

  it('makes no run for the past of a schedule that has just been changed', async () => {
    const { dagId, spec } = await deploy(since(9));
    await dueAt(dagId, midnight(0));
    await engine.deploy({ ...spec, schedule: { kind: 'cron', expressions: ['@daily', '0 0 1 1 *'] } });
    await settle();
    expect(await datesOf(dagId)).toEqual([]);
  });
});

describe('A schedule by data intervals', () => {
  const intervals = { dataIntervals: true };

  it('runs the newest complete interval of a new DAG at once', async () => {
    const { dagId } = await deploy(since(9, intervals));
    await settle();
    expect(await runsOf(dagId)).toMatchObject([
      { state: 'running', logical_date: midnight(-1), interval_start: midnight(-1), interval_end: midnight(0) },
    ]);
    expect(await dagRow(dagId)).toMatchObject({ next_run_at: midnight(1), next_logical_date: midnight(0) });
  });

  it('runs only the newest complete interval of those that passed while the DAG was paused', async () => {
    const { dagId } = await deploy(since(9, { ...intervals, pausedOnCreation: true }));
    await unpause(dagId);
    await settle();
    await pause(dagId);
    await unpause(dagId);
    await settle();
    expect(await datesOf(dagId)).toEqual([midnight(-1)]);
  });

  it('runs every complete interval since the start when the DAG catches up', async () => {
    const { dagId } = await deploy(since(3, { ...intervals, catchup: true }));
    await settle();
    expect(await datesOf(dagId)).toEqual([-3, -2, -1].map(midnight));
  });
});

describe('@once', () => {
  const once: TimeSchedule = { kind: 'once' };

  it('runs once, however often the DAG is deployed or un-paused', async () => {
    const { dagId, spec } = await deploy({ schedule: once, startDate: midnight(-3).toISOString() });
    await settle();
    await engine.deploy({ ...spec, timezone: 'Europe/Berlin' });
    await pause(dagId);
    await unpause(dagId);
    await settle();
    expect(await datesOf(dagId)).toEqual([midnight(-3)]);
  });

  it('waits for its start', async () => {
    const { dagId } = await deploy({ schedule: once, startDate: midnight(2).toISOString() });
    await settle();
    expect(await datesOf(dagId)).toEqual([]);
    expect((await dagRow(dagId)).next_run_at).toEqual(midnight(2));
  });
});

describe('Dates', () => {
  it('are run each once, and those that have passed only when the DAG catches up', async () => {
    const schedule: TimeSchedule = { kind: 'dates', dates: [-3, -1, 2].map((n) => midnight(n).toISOString()) };
    const late = await deploy({ schedule, startDate: midnight(-9).toISOString() });
    const all = await deploy({ schedule, startDate: midnight(-9).toISOString(), catchup: true });
    await settle();
    expect(await datesOf(late.dagId)).toEqual([]);
    expect(await datesOf(all.dagId)).toEqual([-3, -1].map(midnight));
    expect((await dagRow(all.dagId)).next_run_at).toEqual(midnight(2));
  });
});

describe('Assets', () => {
  const expression = { all: [{ asset: 'orders' }, { asset: 'prices' }] };

  it('alone make no run by the clock', async () => {
    const { dagId } = await deploy(since(3, { schedule: { kind: 'assets', expression, or: null }, catchup: true }));
    await settle();
    expect(await datesOf(dagId)).toEqual([]);
  });

  it('or a time make the runs of that time', async () => {
    const { dagId } = await deploy(since(1, { schedule: { kind: 'assets', expression, or: daily }, catchup: true }));
    await settle();
    expect(await datesOf(dagId)).toEqual([-1, 0].map(midnight));
  });
});

describe('@continuous', () => {
  const continuous: Partial<DagSpec> = { schedule: { kind: 'continuous' }, maxActiveRuns: 1 };

  it('starts the next run when the last has ended, and not before', async () => {
    const { dagId } = await deploy(continuous);
    await settle();
    await applyRules(dagId);
    await settle();
    expect(await runStates(dagId)).toEqual(['running']);
    await work(engine, workerId);
    await applyRules(dagId);
    await settle();
    expect(await runStates(dagId)).toEqual(['success', 'running']);
  });

  it('covers with each run the time since the one before', async () => {
    const { dagId } = await deploy(continuous);
    await settle();
    await work(engine, workerId);
    await applyRules(dagId);
    await settle();
    const [first, second] = await runsOf(dagId);
    expect(second!.interval_start).toEqual(first!.interval_end);
    expect(second!.interval_end.getTime()).toBeGreaterThan(first!.interval_end.getTime());
  });

  it('goes on after a failed and after a cancelled run', async () => {
    const { dagId } = await deploy(continuous);
    await settle();
    await work(engine, workerId, () => 'failed');
    await applyRules(dagId);
    await settle();
    await engine.cancelRun((await runsOf(dagId))[1]!.id, 'anna');
    await applyRules(dagId);
    await settle();
    expect(await runStates(dagId)).toEqual(['failed', 'cancelled', 'running']);
  });

  it('stands still while the DAG is paused, and goes on when it is un-paused', async () => {
    const { dagId } = await deploy(continuous);
    await settle();
    await pause(dagId);
    await work(engine, workerId);
    await applyRules(dagId);
    await settle();
    expect(await runStates(dagId)).toEqual(['success']);
    await unpause(dagId);
    await settle();
    expect(await runStates(dagId)).toEqual(['success', 'running']);
  });

  it('goes on although the event of an end was never seen', async () => {
    const { dagId } = await deploy(continuous);
    await settle();
    await work(engine, workerId);
    await reviewContinuousDags(db);
    await settle();
    expect(await runStates(dagId)).toEqual(['success', 'running']);
  });
});

/** The slot is due, as if the timetable had wanted it. */
async function dueAt(dagId: number, slot: Date) {
  await pool.query(
    'update dag set next_run_at = $2, next_logical_date = $2, next_interval_start = $2, next_interval_end = $2 where id = $1',
    [dagId, slot],
  );
}
/** Makes this slot due and lets the scheduler look once. */
async function reach(dagId: number, slot: number) {
  await dueAt(dagId, new Date(Date.UTC(2026, 0, 1, slot)));
  await createDueRuns(db, engine);
}

describe('A run that is due while the one before it has not ended', () => {
  const hourly: Partial<DagSpec> = {
    schedule: { kind: 'interval', seconds: 3600 },
    startDate: '2026-01-01T00:00:00.000Z',
  };

  it('runs beside it, as far as maxActiveRuns allows', async () => {
    const { dagId } = await deploy({ ...hourly, maxActiveRuns: 2 });
    for (const slot of [1, 2, 3]) await reach(dagId, slot);
    expect(await runStates(dagId)).toEqual(['running', 'running', 'queued']);
  });

  it('is left out with overlap skip, and the DAG says so; later ones are made again', async () => {
    const { dagId } = await deploy({ ...hourly, overlap: 'skip' });
    for (const slot of [1, 2]) await reach(dagId, slot);
    expect(await runStates(dagId)).toEqual(['running']);
    const { rows } = await pool.query(`select body from event where run_id = $1 and body->>'dag' = 'skipped'`, [
      -dagId,
    ]);
    const [run] = await runsOf(dagId);
    expect(rows[0].body).toEqual({
      dag: 'skipped',
      by: 'schedule',
      why: `No run for 2026-01-01T02:00:00.000Z: run ${run!.id} had not ended, and overlap is 'skip'.`,
    });
    await work(engine, workerId);
    await reach(dagId, 3);
    expect(await runStates(dagId)).toEqual(['success', 'running']);
  });

  it('waits with overlap buffer_one, and further ones are left out', async () => {
    const { dagId } = await deploy({ ...hourly, overlap: 'buffer_one', maxActiveRuns: 1 });
    for (const slot of [1, 2, 3, 4]) await reach(dagId, slot);
    expect(await runStates(dagId)).toEqual(['running', 'queued']);
    const first = await claimOne();
    await engine.report({ workerId, reports: [reportOf(first)] });
    await engine.startRuns([dagId]);
    expect(await runStates(dagId)).toEqual(['success', 'running']);
    await reach(dagId, 5);
    expect(await runStates(dagId)).toEqual(['success', 'running', 'queued']);
  });

  it('takes its place with overlap cancel_running', async () => {
    const { dagId } = await deploy({ ...hourly, overlap: 'cancel_running', maxActiveRuns: 1 }, { a: [], b: ['a'] });
    await reach(dagId, 1);
    await claimOne();
    await reach(dagId, 2);
    const [first, second] = await runsOf(dagId);
    expect([first!.state, second!.state]).toEqual(['cancelled', 'running']);
    expect(await statesOf(database, first!.id)).toEqual({ a: 'cancelled', b: 'cancelled' });
    expect(await endReasonOf(first!.id)).toBe('The run for 2026-01-01T02:00:00.000Z took its place.');
  });

  it('does not mind runs that people triggered', async () => {
    const { dagId } = await deploy({ ...hourly, overlap: 'skip' });
    await triggered(dagId);
    await reach(dagId, 1);
    expect(await runStates(dagId)).toEqual(['running', 'running']);
  });
});

const endReasonOf = async (runId: number) =>
  (await pool.query('select end_reason from dag_run where id = $1', [runId])).rows[0].end_reason;
const causesOf = async (runId: number) => {
  const { rows } = await pool.query<{ task_index: number; outcome: string; cause: string }>(
    'select task_index, outcome, cause from task_try where run_id = $1 order by task_index, try_number',
    [runId],
  );
  return rows.map((row) => `${row.task_index} ${row.outcome} ${row.cause}`);
};

describe('dagrunTimeout', () => {
  const overdue = (runId: number) =>
    pool.query(`update dag_run set timeout_at = clock_timestamp() - interval '1 s' where id = $1`, [runId]);

  it('ends the run as failed; what has not ended is skipped, what has keeps its state', async () => {
    const { dagId } = await deploy({ dagrunTimeout: 60 }, { a: [], b: ['a'], c: ['b'], d: [] });
    const runId = await triggered(dagId);
    await engine.report({ workerId, reports: [reportOf(await claimOne())] });
    await engine.claim({ workerId, queues: ['default'], limit: 1 });
    await overdue(runId);
    await timeOutRuns(db, engine);
    expect(await runStateOf(database, runId)).toBe('failed');
    expect(await statesOf(database, runId)).toEqual({ a: 'success', b: 'skipped', c: 'skipped', d: 'skipped' });
    expect(await causesOf(runId)).toEqual(['0 success ok', '3 skipped run_timeout']);
    expect(await endReasonOf(runId)).toBe('The run took longer than its dagrunTimeout of 60 s.');
  });

  it('fences the task that was running: its late success does not count', async () => {
    const { dagId } = await deploy({ dagrunTimeout: 60 });
    const runId = await triggered(dagId);
    const dispatch = await claimOne();
    await overdue(runId);
    await timeOutRuns(db, engine);
    expect((await engine.report({ workerId, reports: [reportOf(dispatch)] })).answers).toEqual(['FENCED']);
    expect(await statesOf(database, runId)).toEqual({ a: 'skipped' });
  });

  it('counts from the start of the run: one that waits in the queue has no deadline', async () => {
    const { dagId } = await deploy({ dagrunTimeout: 60, maxActiveRuns: 1 });
    const [first, second] = [await triggered(dagId), await triggered(dagId)];
    const { rows } = await pool.query(
      `select state, extract(epoch from timeout_at - started_at)::int as seconds from dag_run where id = any($1) order by id`,
      [[first, second]],
    );
    expect(rows).toEqual([
      { state: 'running', seconds: 60 },
      { state: 'queued', seconds: null },
    ]);
  });

  it('counts anew for a run that is cleared', async () => {
    const { dagId } = await deploy({ dagrunTimeout: 60 }, { a: [], b: ['a'] });
    const runId = await triggered(dagId);
    await overdue(runId);
    await timeOutRuns(db, engine);
    await engine.editTasks({ runId, action: 'clear', taskIds: null, actor: 'anna' });
    expect(await endReasonOf(runId)).toBeNull();
    await timeOutRuns(db, engine);
    await work(engine, workerId);
    expect(await runStateOf(database, runId)).toBe('success');
    expect(await statesOf(database, runId)).toEqual({ a: 'success', b: 'success' });
  });

  it('leaves the runs of other DAGs alone', async () => {
    const { dagId } = await deploy({});
    const runId = await triggered(dagId);
    await timeOutRuns(db, engine);
    expect(await runStateOf(database, runId)).toBe('running');
  });
});

describe('failFast', () => {
  const tasks = { a: [], b: ['a'], c: [], d: ['c'], e: { upstream: [], retries: 1 } };

  it('ends the run as failed with the first task that fails for good; the rest is skipped', async () => {
    const { dagId } = await deploy({ failFast: true }, tasks);
    const runId = await triggered(dagId);
    const [a] = await engine.claim({ workerId, queues: ['default'], limit: 2 });
    await engine.report({ workerId, reports: [reportOf(a!, 'failed')] });
    await applyRules(dagId);
    expect(await runStateOf(database, runId)).toBe('failed');
    expect(await statesOf(database, runId)).toEqual({
      a: 'failed',
      b: 'upstream_failed',
      c: 'skipped',
      d: 'skipped',
      e: 'skipped',
    });
    expect(await causesOf(runId)).toEqual(['0 failed exit_code', '2 skipped fail_fast']);
    expect(await endReasonOf(runId)).toBe(`Task 'a' failed, and failFast ends the run.`);
  });

  it('does not end a run whose failed task has a try left', async () => {
    const { dagId } = await deploy({ failFast: true }, { e: { upstream: [], retries: 1 }, f: ['e'] });
    const runId = await triggered(dagId);
    await engine.report({ workerId, reports: [reportOf(await claimOne(), 'failed')] });
    await applyRules(dagId);
    expect(await statesOf(database, runId)).toEqual({ e: 'up_for_retry', f: 'none' });
    expect(await runStateOf(database, runId)).toBe('running');
  });

  it('does not mind a failure that a person has cleared meanwhile', async () => {
    const { dagId } = await deploy({ failFast: true }, { a: [], c: [] });
    const runId = await triggered(dagId);
    await engine.report({ workerId, reports: [reportOf(await claimOne(), 'failed')] });
    await engine.editTasks({ runId, action: 'clear', taskIds: ['a'], actor: 'anna' });
    await applyRules(dagId);
    await work(engine, workerId);
    expect(await runStateOf(database, runId)).toBe('success');
  });

  it('does not mind a task that a person marked as failed', async () => {
    const { dagId } = await deploy({ failFast: true }, { a: [], c: [] });
    const runId = await triggered(dagId);
    await engine.editTasks({ runId, action: 'failed', taskIds: ['a'], actor: 'anna' });
    await applyRules(dagId);
    expect(await statesOf(database, runId)).toMatchObject({ a: 'failed', c: 'queued' });
  });

  it('is off unless a DAG says so', async () => {
    const { dagId } = await deploy({}, tasks);
    const runId = await triggered(dagId);
    await engine.report({ workerId, reports: [reportOf(await claimOne(), 'failed')] });
    await applyRules(dagId);
    expect(await runStateOf(database, runId)).toBe('running');
  });
});

describe('maxConsecutiveFailedRuns', () => {
  /** Runs the DAG as often as there are outcomes, one after the other. */
  async function runWith(dagId: number, outcomes: ('success' | 'failed' | 'cancelled' | 'backfill')[]) {
    for (const outcome of outcomes) {
      const runId = await triggered(dagId, outcome === 'backfill' ? { kind: 'backfill' } : {});
      if (outcome === 'cancelled') await engine.cancelRun(runId, 'anna');
      else await work(engine, workerId, () => (outcome === 'success' ? 'success' : 'failed'));
      await applyRules(dagId);
    }
  }

  it('pauses the DAG and says why', async () => {
    const { dagId, spec } = await deploy({ maxConsecutiveFailedRuns: 2 });
    await runWith(dagId, ['failed']);
    expect(await dagRow(dagId)).toMatchObject({ paused: false, pause_reason: null });
    await runWith(dagId, ['failed']);
    const why = 'The last 2 runs failed; maxConsecutiveFailedRuns is 2.';
    expect(await dagRow(dagId)).toMatchObject({ paused: true, pause_reason: why });
    const { rows: events } = await pool.query(
      `select body from event where run_id = $1 order by run_seq desc limit 1`,
      [-dagId],
    );
    expect(events[0].body).toEqual({ dag: 'paused', by: 'scheduler', why });
    const { rows: audit } = await pool.query('select actor, action, detail from audit_event where object = $1', [
      spec.dagId,
    ]);
    const runs = (await runsOf(dagId)).map((run) => String(run.id)).reverse();
    expect(audit).toEqual([{ actor: 'scheduler', action: 'pause_dag', detail: { reason: why, runs } }]);
  });

  it('counts failures in a row only', async () => {
    const { dagId } = await deploy({ maxConsecutiveFailedRuns: 2 });
    await runWith(dagId, ['failed', 'success', 'failed']);
    expect((await dagRow(dagId)).paused).toBe(false);
  });

  it('counts neither backfills nor cancelled runs', async () => {
    const { dagId } = await deploy({ maxConsecutiveFailedRuns: 2 });
    await runWith(dagId, ['failed', 'backfill', 'cancelled']);
    expect((await dagRow(dagId)).paused).toBe(false);
    await runWith(dagId, ['failed']);
    expect((await dagRow(dagId)).paused).toBe(true);
  });

  it('counts anew when a person has un-paused the DAG', async () => {
    const { dagId } = await deploy({ maxConsecutiveFailedRuns: 2 });
    await runWith(dagId, ['failed', 'failed']);
    await unpause(dagId);
    expect(await dagRow(dagId)).toMatchObject({ paused: false, pause_reason: null });
    await runWith(dagId, ['failed']);
    expect((await dagRow(dagId)).paused).toBe(false);
    await runWith(dagId, ['failed']);
    expect((await dagRow(dagId)).paused).toBe(true);
  });

  it('counts runs that failed by their timeout', async () => {
    const { dagId } = await deploy({ maxConsecutiveFailedRuns: 1, dagrunTimeout: 60 });
    const runId = await triggered(dagId);
    await pool.query(`update dag_run set timeout_at = clock_timestamp() where id = $1`, [runId]);
    await timeOutRuns(db, engine);
    await applyRules(dagId);
    expect((await dagRow(dagId)).pause_reason).toBe('The last run failed; maxConsecutiveFailedRuns is 1.');
  });

  it('never pauses a DAG that does not ask for it', async () => {
    const { dagId } = await deploy({});
    await runWith(dagId, ['failed', 'failed', 'failed']);
    expect((await dagRow(dagId)).paused).toBe(false);
  });
});
