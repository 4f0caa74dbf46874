/** By when a run must have ended, and what follows when it has not. */
import { afterAll, describe, expect, it } from 'vitest';
import type { DagSpec } from '#sdk/dag-spec.ts';
import type { Deadline, NotifyRule } from '#sdk/notify.ts';
import { fireDeadlines } from '#server/notifications/fire-deadlines.ts';
import { createNotifyPlans } from '#server/notifications/notify-plans.ts';
import { checkRuns } from '../helpers/check-runs.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { createTestEngine, dagOf, runStateOf, work } from '../helpers/engine.ts';
import { addConnection, startTestNotifications, told } from '../helpers/notifications.ts';
import { startHttpReceiver } from '../helpers/receivers.ts';
import { waitFor } from '../helpers/wait-for.ts';

const database = await createTestDatabase();
const { db, pool } = database;
const engine = createTestEngine(database);
const worker = await engine.worker();
const notifications = await startTestNotifications(database, engine);
const hook = await startHttpReceiver();
await addConnection(database, 'hook', { host: hook.url });
await addConnection(database, 'other', { host: hook.url });
afterAll(async () => {
  await notifications.stop();
  await Promise.all([engine.stop(), hook.stop()]);
});

const deadline = (more: Partial<Deadline>): Deadline => ({
  ...{ after: 'queued', within: 3600, at: null, runs: 10, minRuns: 3, notify: [] },
  ...more,
});
const to = (connection: string) => [{ connection, recipients: [] }];
const rule = (more: Partial<NotifyRule>): NotifyRule => ({
  ...{ on: ['deadline'], tasks: [], to: to('other'), subject: null, body: null, slowAfter: null },
  ...more,
});
let dags = 0;

async function create(
  options: Partial<DagSpec>,
  run: { logicalDate?: Date } = {},
): Promise<{ runId: number; dagId: number }> {
  const { dagId } = await engine.deploy(dagOf(`deadline_${++dags}`, { a: [] }, options));
  const [created] = await engine.createRuns([{ dagId, kind: 'manual', ...run }]);
  await notifications.caughtUp();
  return { runId: created!.runId, dagId };
}

interface Row {
  rule: string;
  state: string;
  /** Seconds after the run's creation. */
  after: number;
}
async function deadlinesOf(runId: number): Promise<Row[]> {
  const { rows } = await pool.query<Row>(
    `select d.rule, d.state, round(extract(epoch from d.due_at - r.created_at))::int as after
     from deadline d join dag_run r on r.id = d.run_id where d.run_id = $1 order by d.rule`,
    [runId],
  );
  return rows;
}
const pass = async (runId: number) => {
  await pool.query(`update deadline set due_at = now() - interval '1 s' where run_id = $1`, [runId]);
  await pool.query(`select pg_notify('millrace_deadline', '')`);
};
const missed = (runId: number) =>
  waitFor(async () => (await deadlinesOf(runId)).every((row) => row.state === 'missed'), {
    what: 'the deadline to be missed',
  });
const endRun = async (runId: number) => {
  await work(engine, worker);
  await notifications.caughtUp();
  await checkRuns(database, { runIds: [runId], finished: true });
};

describe('a deadline', () => {
  it('counts from the creation of the run, also while it waits in the queue', async () => {
    const { dagId } = await engine.deploy(
      dagOf('waits', { a: [] }, { maxActiveRuns: 1, deadline: [deadline({ within: 60 })] }),
    );
    const runs = await engine.createRuns([
      { dagId, kind: 'manual' },
      { dagId, kind: 'manual', runKey: 'second' },
    ]);
    await notifications.caughtUp();
    const second = runs[1]!.runId;
    expect(await runStateOf(database, second)).toBe('queued');
    expect(await deadlinesOf(second)).toEqual([{ rule: 'deadline[0]', state: 'pending', after: 60 }]);
    for (const { runId } of runs) await engine.cancelRun(runId, 'test');
  });

  it('counts from the logical date, and a run without one has none', async () => {
    const deadlines = [deadline({ after: 'logical_date', within: 7200 })];
    const dated = await create({ deadline: deadlines }, { logicalDate: new Date(Date.now() + 1000_000) });
    const [row] = await deadlinesOf(dated.runId);
    expect(Math.abs(row!.after - 8200)).toBeLessThan(5);
    expect(await deadlinesOf((await create({ deadline: deadlines })).runId)).toEqual([]);
    await endRun(dated.runId);
  });

  it('may be a fixed date', async () => {
    const at = new Date(Math.ceil(Date.now() / 1000) * 1000 + 500_000);
    const { runId } = await create({ deadline: [deadline({ after: 'fixed', at: at.toISOString(), within: 60 })] });
    const { rows } = await pool.query('select due_at from deadline where run_id = $1', [runId]);
    expect(rows[0].due_at).toEqual(new Date(at.getTime() + 60_000));
    await endRun(runId);
  });

  it('may count from the average of the newest successful runs, when there are enough', async () => {
    const options = { deadline: [deadline({ after: 'average_runtime', within: 10, runs: 2, minRuns: 2 })] };
    const { dagId, runId } = await create(options);
    expect(await deadlinesOf(runId)).toEqual([]);
    await endRun(runId);
    const former = async (seconds: number, state: string) => {
      const [run] = await engine.createRuns([{ dagId, kind: 'manual', runKey: `took ${seconds}` }]);
      await endRun(run!.runId);
      await pool.query(
        `update dag_run set started_at = ended_at - $2 * interval '1 s', state = $3::run_state where id = $1`,
        [run!.runId, seconds, state],
      );
    };
    // The first is too old, the last failed: 100 and 300 count
    await former(9000, 'success');
    await former(100, 'success');
    await former(300, 'success');
    await former(5000, 'failed');
    const [next] = await engine.createRuns([{ dagId, kind: 'manual', runKey: 'next' }]);
    await notifications.caughtUp();
    expect(await deadlinesOf(next!.runId)).toEqual([{ rule: 'deadline[0]', state: 'pending', after: 210 }]);
    await work(engine, worker);
  });

  it('is met when the run ends in time, and nobody is told', async () => {
    const { runId } = await create({ deadline: [deadline({ notify: to('hook') })], notify: [rule({})] });
    await endRun(runId);
    expect(await deadlinesOf(runId)).toMatchObject([{ state: 'met' }]);
    expect(await told(database, runId)).toEqual([]);
  });

  it('is missed once: those that it names are told, and those of the rules with deadline', async () => {
    const { runId } = await create({
      deadline: [deadline({ notify: to('hook') })],
      notify: [rule({}), rule({ on: ['failure'] })],
    });
    await pass(runId);
    await missed(runId);
    const plans = createNotifyPlans();
    await Promise.all([fireDeadlines(db, plans), fireDeadlines(db, plans), fireDeadlines(db, plans)]);
    const all = await told(database, runId);
    expect(all.map((one) => [one.event, one.target, one.state])).toEqual([
      ['deadline', 'hook', 'sent'],
      ['deadline', 'other', 'sent'],
    ]);
    const body = JSON.parse(hook.received.at(-1)!.body);
    expect(body).toMatchObject({ event: 'deadline', run: { state: 'RUNNING' }, dueAt: expect.any(String) });
    expect(body.subject).toContain('missed its deadline');
    await endRun(runId);
    expect(await deadlinesOf(runId)).toMatchObject([{ state: 'missed' }]);
  });

  it('each of several deadlines of a run is told for itself', async () => {
    const { runId } = await create({
      deadline: [deadline({ within: 60 }), deadline({ within: 120 })],
      notify: [rule({})],
    });
    await pass(runId);
    await missed(runId);
    expect(await told(database, runId)).toHaveLength(2);
    await endRun(runId);
  });

  it('a run that ended in time has met it, although its end is read late', async () => {
    const { runId } = await create({ deadline: [deadline({ notify: to('hook') })] });
    await endRun(runId);
    // As if the consumer had not come that far yet, and the time came
    await pool.query(
      `update deadline set state = 'pending', due_at = (select ended_at + interval '1 ms' from dag_run where id = $1) where run_id = $1`,
      [runId],
    );
    await waitFor(
      async () =>
        (await fireDeadlines(db, createNotifyPlans())) > 0 && (await deadlinesOf(runId))[0]?.state !== 'pending',
      { what: 'it to be settled' },
    );
    expect(await deadlinesOf(runId)).toMatchObject([{ state: 'met' }]);
    expect(await told(database, runId)).toEqual([]);
  });

  it('a run that ended too late has missed it, although it has ended', async () => {
    const { runId } = await create({ deadline: [deadline({ notify: to('hook') })] });
    await pool.query(`update deadline set due_at = now() where run_id = $1`, [runId]);
    await endRun(runId);
    await pool.query(`select pg_notify('millrace_deadline', '')`);
    await missed(runId);
    expect(await told(database, runId)).toHaveLength(1);
  });

  it('does not start anew when a run is cleared', async () => {
    const { runId } = await create({ deadline: [deadline({ notify: to('hook') })] });
    await endRun(runId);
    await engine.editTasks({ runId, action: 'clear', taskIds: null, actor: 'ada' });
    await endRun(runId);
    expect(await deadlinesOf(runId)).toMatchObject([{ state: 'met' }]);
  });
});
