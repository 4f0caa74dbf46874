/** The checker must be able to see: every kind of damage to a run's rows or events has to be found, and named. */
import { afterAll, describe, expect, it } from 'vitest';
import { checkRuns } from '../../helpers/check-runs.ts';
import { createTestDatabase } from '../../helpers/database.ts';
import { createTestEngine, dagOf, reportOf } from '../../helpers/engine.ts';

const database = await createTestDatabase();
const { pool } = database;
const engine = createTestEngine(database);
const worker = await engine.worker();
afterAll(() => engine.stop());
let stages = 0;

/** A run with a task in each state that matters: done, retrying, queued, held back, waiting for others. */
async function stage() {
  const queue = `stage_${++stages}`;
  const spec = dagOf(
    queue,
    { done: [], retrying: { retries: 1 }, child: ['done', 'retrying'], queued: ['done'], held: ['done'] },
    { maxActiveTasks: 1, maxActiveRuns: 1 },
  );
  const { dagId } = await engine.deploy({ ...spec, tasks: spec.tasks.map((task) => ({ ...task, queue })) });
  const [run] = await engine.createRuns([{ dagId, kind: 'manual' }]);
  const { runId } = run!;
  const claim = async () => (await engine.claim({ workerId: worker, queues: [queue], limit: 1 }))[0]!;
  const done = await claim();
  await engine.report({ workerId: null, reports: [reportOf(done)] });
  await engine.report({ workerId: null, reports: [reportOf(await claim(), 'failed')] });
  await checkRuns(database, { runIds: [runId] });
  return { runId, dagId, done };
}

const task = (name: string) =>
  `run_id = $1 and task_index = ${['done', 'retrying', 'child', 'queued', 'held'].indexOf(name)}`;
const lastEvent = 'run_id = $1 and run_seq = (select event_seq from dag_run where id = $1)';

describe('the checker sees', () => {
  it.each([
    [
      'a state that no event tells',
      `update task_instance set state = 'failed' where ${task('done')}`,
      /task 0 is failed#1, its events say success#1/,
    ],
    [
      'a try number that no event tells',
      `update task_instance set try_number = 3 where ${task('done')}`,
      /task 0 is success#3/,
    ],
    [
      'a lost count',
      `update task_instance set up_success = 0 where ${task('child')}`,
      /task 2 counts upstreams 2,0,0,0,0, they are 2,1,0,0,0/,
    ],
    ['a count too many', `update task_instance set up_failed = 1 where ${task('child')}`, /task 2 counts upstreams/],
    [
      'a wrong remainder',
      'update dag_run set remaining = remaining - 1 where id = $1',
      /the run's remaining is 3, should be 4/,
    ],
    [
      'a wrong number of active tasks',
      'update dag_run set active = 0 where id = $1',
      /the run's active is 0, should be 1/,
    ],
    [
      'a wrong number of failed leaves',
      'update dag_run set failed_leaves = 1 where id = $1',
      /failed_leaves is 1, should be 0/,
    ],
    [
      'a run state that no event tells',
      `update dag_run set state = 'success' where id = $1`,
      /the run's state is success, should be running/,
    ],
    ['a missing event', 'delete from event where run_id = $1 and run_seq = 3', /run_seq is not dense/],
    [
      'a queued task that nobody can claim',
      'delete from ready_task where run_id = $1',
      /ready_task holds \[\], queued are \[3\]/,
    ],
    [
      'a task queued twice',
      `insert into ready_task (run_id, task_index, rank, queue) select run_id, task_index, rank, queue from ready_task where run_id = $1`,
      /ready_task holds \[3,3\]/,
    ],
    [
      'a place in the wrong queue',
      `update ready_task set queue = 'other' where run_id = $1`,
      /at rank -1 of queue other/,
    ],
    [
      'a held task that nobody lets pass',
      'delete from waiting_task where run_id = $1',
      /waiting_task holds \[\], scheduled are \[4\]/,
    ],
    [
      'a retry that nobody wakes',
      'delete from task_timer where run_id = $1',
      /task_timer holds \[\], up_for_retry and up_for_reschedule are \[1\]/,
    ],
    [
      'a timer that is not the deadline',
      `update task_timer set due_at = due_at + interval '1 h' where run_id = $1`,
      /is not its deadline/,
    ],
    [
      'a try that is not on record',
      'delete from task_try where run_id = $1',
      /task_try holds \[\], the events tell \[0#1 success, 1#1 failed\]/,
    ],
    [
      'an outcome recorded twice',
      `insert into task_try select run_id, queued_at, started_at, ended_at, gen_random_uuid(), task_index, map_index, 2, worker_id, outcome, cause from task_try where ${task('done')}`,
      /task_try holds/,
    ],
    ['an end without a cause', `update task_try set cause = null where ${task('done')}`, /ended without a cause/],
    [
      'another cause than the event’s',
      `update task_try set cause = 'timeout' where ${task('retrying')}`,
      /has cause timeout, the event says exit_code/,
    ],
    [
      'a finished task with a deadline',
      `update task_instance set deadline_at = now() where ${task('done')}`,
      /task 0 is success with deadline/,
    ],
    [
      'a transition that nothing allows',
      `update event set body = '{"t": [[0, -1, "running", 2]]}' where ${lastEvent}`,
      /moves task 0 from success to running/,
    ],
    [
      'a task that starts before its rule',
      `update event set body = jsonb_set(body::jsonb, '{t,0}', '[2, -1, "queued", 0]') where ${lastEvent}`,
      /starts task 2 \(all_success\) as queued where its rule says null/,
    ],
    [
      'a task that is settled against its rule',
      `update event set body = jsonb_set(body::jsonb, '{t,0}', '[2, -1, "skipped", 0]') where ${lastEvent}`,
      /settles task 2 \(all_success\) as skipped/,
    ],
    [
      'too many active tasks',
      'update dag_run set max_active_tasks = 0 where id = $1',
      /1 active tasks are more than 0/,
    ],
    [
      'a step back in time',
      `update event set at = at - interval '1 h' where ${lastEvent}`,
      /older than the one before/,
    ],
    [
      'a place whose run is gone',
      `insert into waiting_task (run_id, rank, task_index) values (-$1::bigint, 0, 0)`,
      /belongs to no run/,
    ],
  ])('%s', async (_, damage, expected) => {
    const { runId } = await stage();
    await pool.query(damage, [runId]);
    const runIds = expected.source.includes('belongs') ? null : [runId];
    await expect(checkRuns(database, { runIds })).rejects.toThrow(expected);
    await pool.query('delete from waiting_task where run_id < 0');
    await pool.query('delete from dag_run where id = $1', [runId]);
    for (const table of ['ready_task', 'waiting_task', 'task_timer'])
      await pool.query(`delete from ${table} where run_id = $1`, [runId]);
  });

  it('more running runs than the DAG allows', async () => {
    const { runId, dagId } = await stage();
    await pool.query('update dag set max_active_runs = 2 where id = $1', [dagId]);
    const [second] = await engine.createRuns([{ dagId, kind: 'manual' }]);
    await pool.query('update dag set max_active_runs = 1 where id = $1', [dagId]);
    await expect(checkRuns(database, { runIds: [runId, second!.runId] })).rejects.toThrow(
      /had 2 running runs at once, the most is 1/,
    );
  });

  it('an acceptance that is not on record, and one given twice', async () => {
    const { runId, done } = await stage();
    const accepted = { dispatchId: done.dispatchId, outcome: 'success' as const, answer: 'ACCEPTED' as const };
    await checkRuns(database, { runIds: [runId], answers: [accepted, { ...accepted, answer: 'DUPLICATE' }] });
    await expect(checkRuns(database, { runIds: [runId], answers: [accepted, accepted] })).rejects.toThrow(
      /accepted twice/,
    );
    const other = { ...accepted, dispatchId: `${runId}.0.-1.00000000-0000-4000-8000-000000000000` };
    await expect(checkRuns(database, { runIds: [runId], answers: [other] })).rejects.toThrow(
      /recorded under it: nothing/,
    );
    const failed = { ...accepted, outcome: 'failed' as const };
    await expect(checkRuns(database, { runIds: [runId], answers: [failed] })).rejects.toThrow(
      /recorded under it: success/,
    );
  });

  it('a run that does not end', async () => {
    const { runId } = await stage();
    await expect(checkRuns(database, { runIds: [runId], finished: true })).rejects.toThrow(/has not ended \(running\)/);
  });
});
