/** Callers that meet: two engines on one database, as two servers are. Each order of arrival has its one right end. */
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { createDatabase } from '../../../db/client.ts';
import type { DagSpec } from '../../../sdk/dag-spec.ts';
import type { Dispatch, ReportOutcome } from '../../../sdk/protocol.ts';
import { checkRuns } from '../../helpers/check-runs.ts';
import { createTestDatabase } from '../../helpers/database.ts';
import { createTestEngine, dagOf, reportOf, runStateOf, statesOf } from '../../helpers/engine.ts';
import { makeRetriesDue, missAnswers, runOutLeases } from '../../helpers/engine-model.ts';
import { dagGate, meet, runGate, taskGate } from '../../helpers/gate.ts';
import { waitFor } from '../../helpers/wait-for.ts';

const database = await createTestDatabase();
const { pool } = database;
const servers = [createDatabase(database.url), createDatabase(database.url)];
const [one, two] = servers.map((server) => createTestEngine(server)) as [
  ReturnType<typeof createTestEngine>,
  ReturnType<typeof createTestEngine>,
];
const worker = await one.worker();

afterEach(() => checkRuns(database));
/** A backend tells its deadlocks when it ends. Retried or not, each one costs a second. */
afterAll(async () => {
  await Promise.all([one.stop(), two.stop()]);
  await Promise.all(servers.map((server) => server.close()));
  const { rows } = await pool.query<{ deadlocks: number }>(
    'select deadlocks::int from pg_stat_database where datname = current_database()',
  );
  expect(rows[0]?.deadlocks).toBe(0);
  expect([...one.errors, ...two.errors]).toEqual([]);
});

let dags = 0;
type Tasks = Parameters<typeof dagOf>[1];

/** A DAG with a queue of its own. */
async function deploy(tasks: Tasks, options?: Partial<DagSpec>): Promise<number> {
  const name = `race_${++dags}`;
  const spec = dagOf(name, tasks, options);
  const { dagId } = await one.deploy({ ...spec, tasks: spec.tasks.map((task) => ({ ...task, queue: name })) });
  return dagId;
}

/** Takes what is ready of the newest DAG. */
const claim = (engine = one) => engine.claim({ workerId: worker, queues: [`race_${dags}`], limit: 100 });

/** A run whose ready tasks run already. */
async function running(tasks: Tasks): Promise<{ runId: number; dispatches: Dispatch[] }> {
  const [run] = await one.createRuns([{ dagId: await deploy(tasks), kind: 'manual' }]);
  const dispatches = await claim();
  return { runId: run!.runId, dispatches };
}

const report = (engine: typeof one, dispatch: Dispatch, outcome: ReportOutcome = 'success') =>
  engine.report({ workerId: null, reports: [reportOf(dispatch, outcome)] }).then(({ answers }) => answers[0]);

async function tryOutcomes(runId: number): Promise<string[]> {
  const { rows } = await pool.query<{ end: string }>(
    `select task_index || '#' || try_number || ' ' || outcome || ' ' || cause as end from task_try where run_id = $1 order by 1`,
    [runId],
  );
  return rows.map((row) => row.end);
}

describe('two reports of one dispatch at two servers', () => {
  it('are accepted once; the second is told that it is on record', async () => {
    const { runId, dispatches } = await running({ a: [], b: ['a'] });
    const answers = await meet(pool, runGate(runId), [
      () => report(one, dispatches[0]!),
      () => report(two, dispatches[0]!),
    ]);
    expect(answers).toEqual(['ACCEPTED', 'DUPLICATE']);
    expect(await statesOf(database, runId)).toEqual({ a: 'success', b: 'queued' });
  });

  it('are accepted once; the second is fenced when it says otherwise', async () => {
    const { runId, dispatches } = await running({ a: { retries: 1 } });
    const answers = await meet(pool, runGate(runId), [
      () => report(one, dispatches[0]!, 'failed'),
      () => report(two, dispatches[0]!),
    ]);
    expect(answers).toEqual(['ACCEPTED', 'FENCED']);
    expect(await statesOf(database, runId)).toEqual({ a: 'up_for_retry' });
  });

  it('are accepted once when the second hands the dispatch back', async () => {
    const { runId, dispatches } = await running({ a: [] });
    const answers = await meet(pool, runGate(runId), [
      () => report(one, dispatches[0]!, 'released'),
      () => report(two, dispatches[0]!),
    ]);
    expect(answers).toEqual(['ACCEPTED', 'FENCED']);
    expect(await statesOf(database, runId)).toEqual({ a: 'queued' });
  });
});

describe('the last parents of one child, at two servers', () => {
  it.each([
    ['success', 'success', 'queued'],
    ['success', 'failed', 'upstream_failed'],
    ['failed', 'success', 'upstream_failed'],
    ['skipped', 'success', 'skipped'],
    ['failed', 'skipped', 'upstream_failed'],
  ] as const)('%s and %s: the child is %s, once', async (first, second, child) => {
    const { runId, dispatches } = await running({ a: [], b: [], c: ['a', 'b'] });
    const answers = await meet(pool, runGate(runId), [
      () => report(one, dispatches[0]!, first),
      () => report(two, dispatches[1]!, second),
    ]);
    expect(answers).toEqual(['ACCEPTED', 'ACCEPTED']);
    expect((await statesOf(database, runId))['c']).toBe(child);
  });

  it('a child that started early may end beside its other parent', async () => {
    const { runId, dispatches } = await running({
      a: [],
      b: [],
      c: { upstream: ['a', 'b'], triggerRule: 'one_success' },
    });
    await report(one, dispatches[0]!);
    const [c] = await claim(one);
    await one.report({ workerId: null, reports: [reportOf(c!), reportOf(dispatches[1]!, 'failed')] });
    expect(await statesOf(database, runId)).toEqual({ a: 'success', b: 'failed', c: 'success' });
    const { dispatches: again } = await running({
      a: [],
      b: [],
      c: { upstream: ['a', 'b'], triggerRule: 'one_success' },
    });
    await report(two, again[1]!);
    const [c2] = await claim(two);
    const answers = await Promise.all([report(one, again[0]!, 'skipped'), report(two, c2!, 'failed')]);
    expect(answers).toEqual(['ACCEPTED', 'ACCEPTED']);
  });
});

describe('a report and a person’s hand', () => {
  const clear = (runId: number) => two.editTasks({ runId, action: 'clear', taskIds: ['a'], actor: 'anna' });

  it('cancelled first: the report is fenced', async () => {
    const { runId, dispatches } = await running({ a: [], b: ['a'] });
    const ends = await meet(pool, runGate(runId), [
      () => two.cancelRun(runId, 'anna'),
      () => report(one, dispatches[0]!),
    ]);
    expect(ends).toEqual(['cancelled', 'FENCED']);
    expect(await statesOf(database, runId)).toEqual({ a: 'cancelled', b: 'cancelled' });
    expect(await tryOutcomes(runId)).toEqual(['0#1 cancelled cancelled']);
  });

  it('reported first: its success stands, what follows is cancelled', async () => {
    const { runId, dispatches } = await running({ a: [], b: ['a'] });
    const ends = await meet(pool, runGate(runId), [
      () => report(one, dispatches[0]!),
      () => two.cancelRun(runId, 'anna'),
    ]);
    expect(ends).toEqual(['ACCEPTED', 'cancelled']);
    expect(await statesOf(database, runId)).toEqual({ a: 'success', b: 'cancelled' });
    expect(await tryOutcomes(runId)).toEqual(['0#1 success ok']);
  });

  it('cleared first: the report is fenced, the next try counts', async () => {
    const { runId, dispatches } = await running({ a: [], b: ['a'] });
    const [, answer] = await meet(pool, runGate(runId), [() => clear(runId), () => report(one, dispatches[0]!)]);
    expect(answer).toBe('FENCED');
    const [again] = await claim(one);
    expect(again).toMatchObject({ taskId: 'a', tryNumber: 2 });
    expect(await report(one, again!)).toBe('ACCEPTED');
    expect(await tryOutcomes(runId)).toEqual(['0#1 cancelled cancelled', '0#2 success ok']);
  });

  it('reported first: the success is cleared, and its child does not wait for two', async () => {
    const { runId, dispatches } = await running({ a: [], b: ['a'] });
    const [answer] = await meet(pool, runGate(runId), [() => report(one, dispatches[0]!), () => clear(runId)]);
    expect(answer).toBe('ACCEPTED');
    expect((await statesOf(database, runId))['a']).toBe('queued');
  });

  it('two hands at once: both have their effect, one after the other', async () => {
    const { runId } = await running({ a: [], b: ['a'] });
    const mark = () => one.editTasks({ runId, action: 'failed', taskIds: ['a'], actor: 'bert' });
    await meet(pool, runGate(runId), [mark, () => clear(runId)]);
    expect(await statesOf(database, runId)).toEqual({ a: 'queued', b: 'upstream_failed' });
    const { runId: other } = await running({ a: [] });
    const ends = await meet(pool, runGate(other), [
      () => one.cancelRun(other, 'anna'),
      () => two.cancelRun(other, 'bert'),
    ]);
    expect(ends).toEqual(['cancelled', 'finished']);
  });
});

describe('a lease that has run out', () => {
  it('is taken once, whoever sees it', async () => {
    const { runId, dispatches } = await running({ a: { retries: 5 } });
    await runOutLeases({ database }, dispatches);
    const ends = await meet(pool, runGate(runId), [() => one.expireLeases(), () => two.expireLeases()]);
    expect(ends).toEqual([1, 0]);
    expect(await tryOutcomes(runId)).toEqual(['0#1 failed lease_expired']);
  });

  it('is renewed by a beat that comes before it is taken', async () => {
    const { runId, dispatches } = await running({ a: [] });
    await runOutLeases({ database }, dispatches);
    const beat = () => two.heartbeat({ workerId: worker, dispatchIds: [dispatches[0]!.dispatchId] });
    const ends = await meet(pool, runGate(runId), [() => one.expireLeases(), beat]);
    expect(ends).toEqual([0, { fenced: [] }]);
    expect(await report(one, dispatches[0]!)).toBe('ACCEPTED');
  });

  it('fences the beat that comes after', async () => {
    const { dispatches } = await running({ a: { retries: 1 } });
    await runOutLeases({ database }, dispatches);
    await one.expireLeases();
    const beaten = [dispatches[0]!.dispatchId];
    expect(await two.heartbeat({ workerId: worker, dispatchIds: beaten })).toEqual({ fenced: beaten });
  });

  it.each([
    ['report', ['ACCEPTED', 0], '0#1 success ok'],
    ['expiry', [1, 'FENCED'], '0#1 failed lease_expired'],
  ] as const)('and a late report: the %s counts when it comes first', async (first, expected, recorded) => {
    const { runId, dispatches } = await running({ a: { retries: 1 } });
    await runOutLeases({ database }, dispatches);
    const calls = [() => report(one, dispatches[0]!), () => two.expireLeases()];
    const ends = await meet(pool, runGate(runId), first === 'report' ? calls : calls.reverse());
    expect(ends).toEqual(expected);
    expect(await tryOutcomes(runId)).toEqual([recorded]);
  });
});

describe('a dispatch whose answer was lost', () => {
  const state = async (runId: number) => (await statesOf(database, runId))['a'];

  it('goes back to the line when its worker beats without it, and costs no try', async () => {
    const { runId, dispatches } = await running({ a: [], b: [] });
    await two.heartbeat({ workerId: worker, dispatchIds: [dispatches[1]!.dispatchId] });
    await missAnswers({ database }, dispatches);
    expect(await one.relaunchUndelivered()).toBe(1);
    expect(await statesOf(database, runId)).toEqual({ a: 'queued', b: 'running' });
    const [again] = await claim();
    expect(again).toMatchObject({ taskId: 'a', tryNumber: 1 });
    expect(await report(one, dispatches[0]!)).toBe('FENCED');
    expect(await report(one, again!)).toBe('ACCEPTED');
  });

  it('is taken back once, whoever sees it', async () => {
    const { runId, dispatches } = await running({ a: [] });
    await missAnswers({ database }, dispatches);
    const taken = await meet(pool, runGate(runId), [() => one.relaunchUndelivered(), () => two.relaunchUndelivered()]);
    expect(taken).toEqual([1, 0]);
  });

  it('stays where it arrived after all, and a beat says so in time', async () => {
    const { runId, dispatches } = await running({ a: [] });
    await missAnswers({ database }, dispatches);
    const beat = () => two.heartbeat({ workerId: worker, dispatchIds: [dispatches[0]!.dispatchId] });
    const [taken] = await meet(pool, runGate(runId), [() => one.relaunchUndelivered(), beat]);
    expect(taken).toBe(0);
    expect(await state(runId)).toBe('running');
  });

  it('stays as long as its worker has not been heard of since', async () => {
    const { runId, dispatches } = await running({ a: [] });
    await missAnswers({ database }, dispatches);
    await pool.query(`update worker set last_beat_at = now() - interval '20 s' where id = $1`, [worker]);
    expect(await one.relaunchUndelivered()).toBe(0);
    await pool.query(`update worker set last_beat_at = now(), state = 'offline' where id = $1`, [worker]);
    expect(await one.relaunchUndelivered()).toBe(0);
    await pool.query(`update worker set state = 'online' where id = $1`, [worker]);
    expect(await state(runId)).toBe('running');
    expect(await one.relaunchUndelivered()).toBe(1);
  });

  it('may still be on its way for some seconds', async () => {
    await running({ a: [] });
    await pool.query('update worker set last_beat_at = now() where id = $1', [worker]);
    expect(await one.relaunchUndelivered()).toBe(0);
  });
});

describe('a heartbeat', () => {
  it('waits for nobody: a row that is being changed is left for the next beat', async () => {
    const { runId, dispatches } = await running({ a: [], b: [], c: [] });
    const dispatchIds = dispatches.map((dispatch) => dispatch.dispatchId);
    const { text, values } = taskGate(runId, 1);
    const client = await pool.connect();
    try {
      await client.query('begin');
      await client.query(text, values);
      expect(await one.heartbeat({ workerId: worker, dispatchIds })).toEqual({ fenced: [] });
    } finally {
      await client.query('rollback');
      client.release();
    }
  });

  it('tells each of several mentions of one dispatch', async () => {
    const { dispatches } = await running({ a: [] });
    const dispatchIds = [dispatches[0]!.dispatchId, dispatches[0]!.dispatchId, 'nonsense'];
    expect(await one.heartbeat({ workerId: worker, dispatchIds })).toEqual({ fenced: ['nonsense'] });
  });

  it.each(['same', 'opposite'])('meets the reports of the same tasks in %s order', async (order) => {
    const { runId, dispatches } = await running(
      Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`t${i}`, []])),
    );
    const dispatchIds = dispatches.map((dispatch) => dispatch.dispatchId);
    const reports = dispatches.map((dispatch) => reportOf(dispatch));
    if (order === 'opposite') reports.reverse();
    const [beat, { answers }] = await meet(pool, taskGate(runId, 10), [
      () => two.heartbeat({ workerId: worker, dispatchIds }),
      () => one.report({ workerId: null, reports }),
    ]);
    expect(beat.fenced).toEqual([]);
    expect(new Set(answers)).toEqual(new Set(['ACCEPTED']));
  });
});

describe('retries that are due', () => {
  it('are queued once, whoever wakes them', async () => {
    const { runId, dispatches } = await running({ a: { retries: 1 } });
    await report(one, dispatches[0]!, 'failed');
    const due = await makeRetriesDue(database, [runId]);
    await meet(pool, runGate(runId), [() => one.wakeTasks(due), () => two.wakeTasks(due)]);
    expect(await statesOf(database, runId)).toEqual({ a: 'queued' });
    expect(await claim(one)).toHaveLength(1);
  });

  it('stay away from a run that was cancelled first', async () => {
    const { runId, dispatches } = await running({ a: { retries: 1 } });
    await report(one, dispatches[0]!, 'failed');
    const due = await makeRetriesDue(database, [runId]);
    await meet(pool, runGate(runId), [() => two.cancelRun(runId, 'anna'), () => one.wakeTasks(due)]);
    expect(await statesOf(database, runId)).toEqual({ a: 'cancelled' });
  });
});

describe('runs', () => {
  it('of one DAG are created at two servers at once', async () => {
    const dagId = await deploy({ a: [] }, { maxActiveRuns: 3 });
    const create = (engine: typeof one) => () =>
      engine.createRuns([
        { dagId, kind: 'manual' },
        { dagId, kind: 'manual' },
      ]);
    const created = await meet(pool, dagGate(dagId), [create(one), create(two)]);
    expect(new Set(created.flat().map((run) => run.runId)).size).toBe(4);
    const states = await Promise.all(created.flat().map((run) => runStateOf(database, run.runId)));
    expect(states.sort()).toEqual(['queued', 'running', 'running', 'running']);
    for (const { runId } of created.flat()) await one.cancelRun(runId, 'test');
  });

  it('of the same slots are created at two servers in opposite order', async () => {
    const dagIds = await Promise.all(Array.from({ length: 40 }, () => deploy({ a: [] })));
    for (let round = 0; round < 5; round++) {
      const runs = dagIds.map((dagId) => ({
        dagId,
        kind: 'scheduled' as const,
        logicalDate: new Date(Date.UTC(2026, 0, 1 + round)),
      }));
      const [there, back] = await Promise.all([one.createRuns(runs), two.createRuns([...runs].reverse())]);
      expect(back.reverse().map((run) => run.runId)).toEqual(there.map((run) => run.runId));
      expect([...there, ...back].filter((run) => run.created)).toHaveLength(40);
    }
    await Promise.all(dagIds.map((dagId) => pool.query('update dag set paused = true where id = $1', [dagId])));
  });

  it('with one idempotency key are one run', async () => {
    const dagId = await deploy({ a: [] });
    const create = (engine: typeof one) => () => engine.createRuns([{ dagId, kind: 'manual', idempotencyKey: 'k' }]);
    const created = await Promise.all([one, two, one, two].map((engine) => create(engine)()));
    expect(new Set(created.flat().map((run) => run.runId)).size).toBe(1);
    expect(created.flat().filter((run) => run.created)).toHaveLength(1);
    await one.cancelRun(created[0]![0]!.runId, 'test');
  });

  it.each(['start', 'cancel'])('a start meets a cancellation, the %s comes first', async (first) => {
    const dagId = await deploy({ a: [], b: [] }, { pausedOnCreation: true });
    const [run] = await one.createRuns([{ dagId, kind: 'manual' }]);
    await pool.query('update dag set paused = false where id = $1', [dagId]);
    const calls = [() => one.startRuns([dagId]), () => two.cancelRun(run!.runId, 'anna')];
    await meet(pool, runGate(run!.runId), first === 'start' ? calls : calls.reverse());
    expect(await runStateOf(database, run!.runId)).toBe('cancelled');
    expect(await claim(one)).toEqual([]);
  });

  it('a run that is cleared waits for a place as a new one does', async () => {
    const dagId = await deploy({ a: [] }, { maxActiveRuns: 1 });
    const runs = await one.createRuns([
      { dagId, kind: 'manual' },
      { dagId, kind: 'manual' },
    ]);
    const [first, second] = runs.map((run) => run.runId) as [number, number];
    await one.cancelRun(first, 'anna');
    expect(await runStateOf(database, second)).toBe('running');
    await two.editTasks({ runId: first, action: 'clear', taskIds: ['a'], actor: 'anna' });
    expect(await runStateOf(database, first)).toBe('queued');
    await one.editTasks({ runId: second, action: 'success', taskIds: null, actor: 'anna' });
    expect([await runStateOf(database, first), await runStateOf(database, second)]).toEqual(['running', 'success']);
    const [again] = await claim(one);
    expect(await report(one, again!)).toBe('ACCEPTED');
    expect(await runStateOf(database, first)).toBe('success');
  });
});

describe('many workers at two servers', () => {
  it('claim each task once, and finish every run', { timeout: 60_000 }, async () => {
    const tasks: Tasks = { start: { kind: 'empty' } };
    for (let i = 0; i < 12; i++) tasks[`w${i}`] = { upstream: ['start'], retries: 3 };
    tasks['end'] = Object.keys(tasks).slice(1);
    const dagId = await deploy(tasks, { maxActiveRuns: 4, maxActiveTasks: 5 });
    const runs = await one.createRuns(Array.from({ length: 12 }, () => ({ dagId, kind: 'manual' as const })));
    const seen = new Set<string>();
    let done = false;
    const work = async (engine: typeof one, id: number) => {
      let next: Dispatch[] = [];
      for (let n = id; !done; n++) {
        const reports = next.map((dispatch, i) =>
          reportOf(dispatch, dispatch.tryNumber < 3 && (n + i) % 7 === 0 ? 'failed' : 'success'),
        );
        const wish = { queues: [`race_${dags}`], limit: 3 };
        const { answers, dispatches } =
          reports.length > 0
            ? await engine.report({ workerId: worker, reports, claim: wish })
            : { answers: [], dispatches: await engine.claim({ workerId: worker, ...wish }) };
        expect(answers.every((answer) => answer === 'ACCEPTED')).toBe(true);
        for (const { dispatchId } of dispatches) expect(seen.has(dispatchId) || !seen.add(dispatchId)).toBe(false);
        next = dispatches;
      }
    };
    const wake = async (engine: typeof one) => {
      while (!done)
        await engine.wakeTasks(
          await makeRetriesDue(
            database,
            runs.map((run) => run.runId),
          ),
        );
    };
    const work_ = [...[0, 1, 2, 3, 4, 5].map((i) => work(i % 2 ? one : two, i)), wake(one)];
    await waitFor(
      async () => {
        const { rows } = await pool.query('select from dag_run where dag_id = $1 and ended_at is null', [dagId]);
        return rows.length === 0;
      },
      { timeoutMs: 40_000, what: 'all runs to end' },
    ).finally(() => (done = true));
    await Promise.all(work_);
    await checkRuns(database, { finished: false });
  });
});
