/** Tasks that clusters run: queued with a dispatch until their code begins, and left alone by whoever sweeps leases. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { parseDispatchId } from '#db/engine/dispatch-id.ts';
import { adoptLaunches, dropLaunches, findStaleLaunches, placeLaunches } from '#db/queries/launches.ts';
import { setWorkerState } from '#db/queries/worker.ts';
import type { Dispatch } from '#sdk/protocol.ts';
import { clusterQueue } from '#sdk/system-tasks.ts';
import { checkRuns } from '../../helpers/check-runs.ts';
import { createTestDatabase } from '../../helpers/database.ts';
import { createTestEngine, dagOf, reportOf, statesOf, type TestEngine } from '../../helpers/engine.ts';

const database = await createTestDatabase();
const { pool, db } = database;
const queue = clusterQueue('east');
let engine: TestEngine;
let launcher: number;
let runIds: number[] = [];

beforeEach(async () => {
  engine = createTestEngine(database);
  launcher = await engine.worker();
  runIds = [];
});
afterEach(async () => {
  await checkRuns(database, { runIds });
  await pool.query('delete from launch');
  expect(engine.errors).toEqual([]);
  await engine.stop();
});

let dags = 0;
async function start(options: object = {}, more: object = {}): Promise<number> {
  const { dagId } = await engine.deploy(dagOf(`launched_${++dags}`, { a: { queue, ...options }, b: ['a'], ...more }));
  const [run] = await engine.createRuns([{ dagId, kind: 'manual' }]);
  runIds.push(run!.runId);
  return run!.runId;
}
const claim = (limit = 10) => engine.claim({ workerId: launcher, queues: [queue], limit, cluster: 'east' });
const keyOf = ({ dispatchId }: Dispatch) => parseDispatchId(dispatchId)!;
const phases = async () =>
  (await pool.query<{ phase: string }>('select phase from launch order by claimed_at')).rows.map((row) => row.phase);
const begin = (dispatch: Dispatch) => engine.start([{ ...keyOf(dispatch), startedAt: new Date() }]);
const tryOf = async (runId: number) =>
  (await pool.query('select try_number, outcome, cause, started_at from task_try where run_id = $1', [runId])).rows;

it('stays queued until its code begins, then runs to its end', async () => {
  const runId = await start();
  const [dispatch] = await claim();
  expect(await statesOf(database, runId)).toEqual({ a: 'queued', b: 'none' });
  expect(await phases()).toEqual(['waiting']);
  expect(await claim()).toEqual([]);
  await begin(dispatch!);
  expect(await statesOf(database, runId)).toEqual({ a: 'running', b: 'none' });
  const { answers } = await engine.report({ workerId: launcher, reports: [reportOf(dispatch!)] });
  expect(answers).toEqual(['ACCEPTED']);
  expect(await statesOf(database, runId)).toEqual({ a: 'success', b: 'queued' });
});

it('tells whoever follows its run that something else holds it back, as long as it is starting', async () => {
  const runId = await start({}, { c: { queue } });
  const [one, two] = await claim();
  const events = async () =>
    (
      await pool.query<{ t: unknown[] }>(`select body -> 't' as t from event where run_id = $1 order by run_seq`, [
        runId,
      ])
    ).rows.map((row) => row.t);
  const before = await events();
  const placeOf = (dispatch: Dispatch) => [keyOf(dispatch).taskIndex, keyOf(dispatch).mapIndex, 'queued', 1];
  await engine.tell([one!, two!, one!].map(keyOf));
  expect((await events()).slice(before.length).map((t) => t.sort())).toEqual([[placeOf(one!), placeOf(two!)].sort()]);
  await Promise.all([engine.tell([keyOf(one!), keyOf(two!)]), begin(one!)]);
  await engine.tell([keyOf(one!)]);
  const { uuid } = keyOf(one!);
  await engine.tell([{ ...keyOf(two!), uuid }]);
  expect(await statesOf(database, runId)).toMatchObject({ a: 'running', c: 'queued' });
  const later = (await events()).slice(before.length + 1).flat();
  expect(later.filter((t) => JSON.stringify(t) === JSON.stringify(placeOf(two!)))).toHaveLength(1);
});

it('may end without ever having been seen to run', async () => {
  const runId = await start();
  const [dispatch] = await claim();
  const startedAt = new Date().toISOString();
  await engine.report({ workerId: launcher, reports: [reportOf(dispatch!, 'success', { startedAt })] });
  expect(await statesOf(database, runId)).toEqual({ a: 'success', b: 'queued' });
  expect((await tryOf(runId))[0].started_at).not.toBeNull();
});

it('that never began has no start', async () => {
  const runId = await start();
  const [dispatch] = await claim();
  await engine.report({ workerId: launcher, reports: [reportOf(dispatch!, 'failed', { startedAt: null })] });
  expect(await tryOf(runId)).toEqual([{ try_number: 1, outcome: 'failed', cause: 'exit_code', started_at: null }]);
});

it('is handed back without a try, and claimed again', async () => {
  const runId = await start();
  const [first] = await claim();
  await engine.report({ workerId: launcher, reports: [reportOf(first!, 'released', { cause: 'evicted' as never })] });
  expect(await statesOf(database, runId)).toEqual({ a: 'queued', b: 'none' });
  const [second] = await claim();
  expect(second!.tryNumber).toBe(1);
  expect(second!.dispatchId).not.toBe(first!.dispatchId);
});

it('that is retried has its next try with another dispatch', async () => {
  const runId = await start({ retries: 1 });
  const [first] = await claim();
  await engine.report({ workerId: launcher, reports: [reportOf(first!, 'failed')] });
  expect(await statesOf(database, runId)).toEqual({ a: 'up_for_retry', b: 'none' });
  await engine.wakeTasks([keyOf(first!)]);
  expect(await statesOf(database, runId)).toEqual({ a: 'queued', b: 'none' });
  const [second] = await claim();
  expect(second!.tryNumber).toBe(2);
});

it.each([false, true])('is nobody’s any more when its run is cancelled (begun: %s)', async (begun) => {
  const runId = await start();
  const [dispatch] = await claim();
  if (begun) await begin(dispatch!);
  await engine.cancelRun(runId, 'ann');
  expect(await findStaleLaunches(pool, launcher)).toEqual([keyOf(dispatch!).uuid]);
  expect(await tryOf(runId)).toMatchObject([{ try_number: 1, outcome: 'cancelled', cause: 'cancelled' }]);
  const { answers } = await engine.report({ workerId: launcher, reports: [reportOf(dispatch!)] });
  expect(answers).toEqual(['FENCED']);
  expect(await engine.redispatch([keyOf(dispatch!)])).toEqual([]);
});

it('that is cleared while it starts runs again, after what is left of it is gone', async () => {
  const runId = await start();
  const [first] = await claim();
  await engine.editTasks({ runId, action: 'clear', taskIds: ['a'], actor: 'ann' });
  expect(await statesOf(database, runId)).toEqual({ a: 'queued', b: 'none' });
  const [second] = await claim();
  expect(second!.tryNumber).toBe(2);
  const place = (dispatch: Dispatch) =>
    placeLaunches(pool, { cluster: 'east', workerId: launcher, maxPods: 10, maxPodsPerNamespace: null }, [
      {
        uuid: keyOf(dispatch).uuid,
        kind: 'pod',
        api: 'v1 Pod',
        namespace: 'n',
        name: keyOf(dispatch).uuid,
        onFinish: 'delete',
      },
    ]);
  expect([...(await place(second!)).values()]).toEqual(['predecessor']);
  await dropLaunches(pool, launcher, [keyOf(first!).uuid]);
  expect([...(await place(second!)).values()]).toEqual(['admitted']);
});

it('is no lease’s business, whether it starts or runs, however long nobody is heard of', async () => {
  const runId = await start({}, { c: { queue } });
  const [one] = await claim();
  await begin(one!);
  await pool.query(
    `update task_instance set deadline_at = now() - interval '1 hour', started_at = now() - interval '1 hour' where run_id = $1 and state in ('queued', 'running')`,
    [runId],
  );
  expect(await engine.relaunchUndelivered()).toBe(0);
  expect(await engine.expireLeases()).toBe(0);
  await engine.reviewRuns([runId]);
  expect(await claim()).toEqual([]);
  expect(await statesOf(database, runId)).toMatchObject({ a: 'running', c: 'queued' });
});

it('goes back to the line when no launcher knows of it', async () => {
  const runId = await start();
  await claim();
  await pool.query('delete from launch');
  await pool.query(
    `update task_instance set deadline_at = now() - interval '1 hour' where run_id = $1 and state = 'queued'`,
    [runId],
  );
  expect(await engine.expireLeases()).toBe(1);
  const [again] = await claim();
  expect(again!.tryNumber).toBe(1);
});

it('is renewed by its runner before its start was seen', async () => {
  await start();
  const [dispatch] = await claim();
  expect(await engine.heartbeat({ workerId: null, dispatchIds: [dispatch!.dispatchId] })).toEqual({ fenced: [] });
});

it('passes to another launcher when its own is gone, and to that one alone', async () => {
  await start({}, { c: { queue } });
  const dispatches = await claim();
  const other = await engine.worker();
  const adopt = (workerId: number) =>
    adoptLaunches(pool, { cluster: 'east', workerId, silentSeconds: 30, limit: 10, ownToo: false });
  expect(await adopt(other)).toEqual([]);
  await setWorkerState(db, launcher, 'offline');
  const adopted = await Promise.all([adopt(other), adopt(await engine.worker())]);
  expect(
    adopted
      .flat()
      .map((launch) => launch.uuid)
      .sort(),
  ).toEqual(dispatches.map((one) => keyOf(one).uuid).sort());
  const again = await engine.redispatch(dispatches.map(keyOf));
  expect(again.map((one) => one.dispatchId).sort()).toEqual(dispatches.map((one) => one.dispatchId).sort());
});

it('is placed as far as the cluster and the namespace have room, the first ones first', async () => {
  await start({}, { c: { queue }, d: { queue }, e: { queue } });
  const dispatches = await claim();
  const launches = dispatches.map((dispatch, i) => ({
    uuid: keyOf(dispatch).uuid,
    kind: 'pod' as const,
    api: 'v1 Pod',
    namespace: i === 1 ? 'two' : 'one',
    name: `p${i}`,
    onFinish: 'delete',
  }));
  const place = (maxPods: number, maxPodsPerNamespace: number | null) =>
    placeLaunches(pool, { cluster: 'east', workerId: launcher, maxPods, maxPodsPerNamespace }, launches);
  expect([...(await place(2, 1)).values()].sort()).toEqual(['admitted', 'admitted', 'cluster_full', 'cluster_full']);
  expect([...(await place(3, 2)).values()].sort()).toEqual(['admitted', 'cluster_full']);
});
