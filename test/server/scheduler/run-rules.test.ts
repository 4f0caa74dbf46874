import { afterAll, expect, it } from 'vitest';
import type { DagSpec } from '#sdk/dag-spec.ts';
import { createListener } from '#db/listen.ts';
import { createLogger } from '#server/log.ts';
import { judgeOverlap } from '#server/scheduler/overlap.ts';
import { startScheduler } from '#server/scheduler/scheduler.ts';
import { createTestDatabase } from '../../helpers/database.ts';
import { createTestEngine, dagOf, reportOf, runStateOf, statesOf, work } from '../../helpers/engine.ts';
import { waitFor } from '../../helpers/wait-for.ts';

const database = await createTestDatabase();
const { db, pool, url } = database;
const engine = createTestEngine(database);
const listener = createListener(url);
await listener.start();
const errors: unknown[] = [];
const log = createLogger({ level: 'silent' as 'error', format: 'json' });
const [one, two] = [1, 2].map(() =>
  startScheduler({ db, pool, engine, listener, log, onError: (error) => errors.push(error) }),
);
await waitFor(async () => (await pool.query(`select from event_consumer where name = 'run rules'`)).rowCount, {
  what: 'the rules to take their place in the log',
});
const workerId = await engine.worker();
afterAll(async () => {
  await Promise.all([one!.stop(), two!.stop()]);
  await Promise.all([engine.stop(), listener.stop()]);
  expect(errors).toEqual([]);
});

async function triggered(options: Partial<DagSpec>, tasks: Parameters<typeof dagOf>[1]) {
  const { dagId } = await engine.deploy(dagOf(`rules_${Object.keys(options).join('_')}`, tasks, options));
  const [run] = await engine.createRuns([{ dagId, kind: 'manual' }]);
  return { dagId, runId: run!.runId };
}

it('two schedulers end a failFast run when a task of it fails', async () => {
  const { runId } = await triggered({ failFast: true }, { a: [], b: [] });
  const [dispatch] = await engine.claim({ workerId, queues: ['default'], limit: 1 });
  await engine.report({ workerId, reports: [reportOf(dispatch!, 'failed')] });
  await waitFor(async () => (await runStateOf(database, runId)) === 'failed', { what: 'the run to fail' });
  expect(Object.values(await statesOf(database, runId)).sort()).toEqual(['failed', 'skipped']);
});

it('two schedulers end a run at its timeout', async () => {
  const { runId } = await triggered({ dagrunTimeout: 1 }, { a: [], b: ['a'] });
  await waitFor(async () => (await runStateOf(database, runId)) === 'failed', { what: 'the run to time out' });
  expect(await statesOf(database, runId)).toEqual({ a: 'skipped', b: 'skipped' });
});

it('two schedulers pause a DAG that failed too often, once', async () => {
  const { dagId } = await triggered({ maxConsecutiveFailedRuns: 1 }, { a: [] });
  await work(engine, workerId, () => 'failed');
  await waitFor(async () => (await pool.query('select paused from dag where id = $1', [dagId])).rows[0].paused, {
    what: 'the DAG to be paused',
  });
  const { rows } = await pool.query(`select from event where run_id = $1 and body->>'dag' = 'paused'`, [-dagId]);
  expect(rows).toHaveLength(1);
});

it('two schedulers keep a continuous DAG running, one run at a time', async () => {
  const options: Partial<DagSpec> = { schedule: { kind: 'continuous' }, maxActiveRuns: 1 };
  const { dagId } = await engine.deploy(dagOf('rules_continuous', { a: { upstream: [], kind: 'empty' } }, options));
  const ended = async () => {
    const { rows } = await pool.query<{ started_at: Date; ended_at: Date | null }>(
      'select started_at, ended_at from dag_run where dag_id = $1 order by id limit 5',
      [dagId],
    );
    return rows.filter((run) => run.ended_at !== null).length === 5 ? rows : null;
  };
  const runs = await waitFor(ended, { what: 'five runs to end' });
  await pool.query('update dag set paused = true where id = $1', [dagId]);
  runs.slice(1).forEach((run, i) => expect(run.started_at >= runs[i]!.ended_at!).toBe(true));
});

it.each([
  ['allow', ['running', 'queued'], 'create'],
  ['skip', [], 'create'],
  ['skip', ['queued'], 'skip'],
  ['skip', ['running'], 'skip'],
  ['buffer_one', [], 'create'],
  ['buffer_one', ['running'], 'create'],
  ['buffer_one', ['running', 'queued'], 'skip'],
  ['cancel_running', [], 'create'],
  ['cancel_running', ['queued'], 'cancel'],
] as const)('overlap %s with %j before it: %s', (overlap, states, verdict) =>
  expect(
    judgeOverlap(
      overlap,
      states.map((state, i) => ({ runId: i, dagId: 1, state })),
    ),
  ).toBe(verdict),
);
