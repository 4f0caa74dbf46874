/** What happens after a failure: retries, rules, and failures of the infrastructure. */
import { afterAll, describe, expect, it } from 'vitest';
import type { Dispatch, ReportOutcome, TaskReport } from '#sdk/protocol.ts';
import type { RetryRule } from '#sdk/retry-rules.ts';
import type { TaskCause } from '#sdk/states.ts';
import { wakeRetries } from '#server/scheduler/wake-retries.ts';
import { checkRuns } from '../helpers/check-runs.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { createTestEngine, dagOf, runStateOf, statesOf, work } from '../helpers/engine.ts';

const database = await createTestDatabase();
const { pool } = database;
const engine = createTestEngine(database);
const worker = await engine.worker();
afterAll(() => engine.stop());

type End = ReportOutcome | Partial<TaskReport>;
type Tasks = Parameters<typeof dagOf>[1];
let dags = 0;

/** Runs the DAG: `ends` says how each try of a task ends, the last one for all further tries. */
async function run(tasks: Tasks, ends: { [taskId: string]: End[] }) {
  const { dagId } = await engine.deploy(dagOf(`retries_${++dags}`, tasks));
  const [{ runId } = { runId: 0 }] = await engine.createRuns([{ dagId, kind: 'manual' }]);
  const endOf = ({ taskId, tryNumber }: Dispatch): End =>
    ends[taskId]?.[tryNumber - 1] ?? ends[taskId]?.at(-1) ?? 'success';
  const started = await workOn(runId, endOf);
  await checkRuns(database, { runIds: [runId], finished: true });
  return { runId, started, states: await statesOf(database, runId), run: await runStateOf(database, runId) };
}

/** Delays pass at once. */
async function workOn(runId: number, endOf: (dispatch: Dispatch) => End): Promise<string[]> {
  const started: string[] = [];
  for (;;) {
    started.push(...(await work(engine, worker, endOf)));
    const { rowCount } = await pool.query('select from dag_run where id = $1 and ended_at is not null', [runId]);
    if (rowCount === 1) return started;
    await passDelays(runId);
    await wakeRetries(pool, engine);
  }
}

async function passDelays(runId: number): Promise<void> {
  await pool.query(`update task_instance set deadline_at = '2020-01-01' where run_id = $1 and state = 'up_for_retry'`, [
    runId,
  ]);
  await pool.query(`update task_timer set due_at = '2020-01-01' where run_id = $1`, [runId]);
}

const rule = (more: Partial<RetryRule>): RetryRule => ({
  exitCode: [],
  exception: [],
  message: null,
  cause: [],
  action: 'retry',
  delay: null,
  ...more,
});
const exit = (exitCode: number): End => ({
  outcome: 'failed',
  cause: 'exit_code',
  exitCode,
  message: `Exit code ${exitCode}.`,
});
const raised = (...exceptions: string[]): End => ({
  outcome: 'failed',
  cause: 'exception',
  message: `${exceptions[0]}: it said so`,
  evidence: { exception: exceptions[0]!, exceptions },
});
const because = (cause: TaskCause): End => ({ outcome: 'failed', cause });

describe('retries', () => {
  it('a task that fails is tried again until its retries are used up', async () => {
    const { started, states, run: end } = await run({ a: { retries: 2 } }, { a: [exit(1)] });
    expect({ started, states, end }).toEqual({
      started: ['a#1', 'a#2', 'a#3'],
      states: { a: 'failed' },
      end: 'failed',
    });
  });

  it('a task that succeeds in a later try is a success, and its downstreams run once', async () => {
    const { started, states } = await run({ a: { retries: 2 }, b: ['a'] }, { a: [exit(1), 'success'] });
    expect({ started, states }).toEqual({ started: ['a#1', 'a#2', 'b#1'], states: { a: 'success', b: 'success' } });
  });

  it('downstreams wait while a failed task has tries left, also those that wait for a failure', async () => {
    const { started, states } = await run(
      { a: { retries: 1 }, b: { upstream: ['a'], triggerRule: 'one_failed' } },
      { a: [exit(1), 'success'] },
    );
    expect({ started, states }).toEqual({ started: ['a#1', 'a#2'], states: { a: 'success', b: 'skipped' } });
  });

  it('a task that says it failed for good is not tried again', async () => {
    const { started, states } = await run(
      { a: { retries: 5 } },
      { a: [{ outcome: 'failed', cause: 'exception', retryable: false }] },
    );
    expect({ started, states }).toEqual({ started: ['a#1'], states: { a: 'failed' } });
  });

  it('a task that skips itself is not tried again', async () => {
    const { started, states } = await run({ a: { retries: 5 }, b: ['a'] }, { a: ['skipped'] });
    expect({ started, states }).toEqual({ started: ['a#1'], states: { a: 'skipped', b: 'skipped' } });
  });
});

describe('retry rules', () => {
  it('a rule with fail ends the task at once, although it has retries left', async () => {
    const { started, states } = await run(
      { a: { retries: 5, retryRules: [rule({ exitCode: [2], action: 'fail' })] } },
      { a: [exit(1), exit(2)] },
    );
    expect({ started, states }).toEqual({ started: ['a#1', 'a#2'], states: { a: 'failed' } });
  });

  it('a rule with skip ends the task as skipped, and its downstreams are skipped with it', async () => {
    const { states, run: end } = await run(
      { a: { retries: 5, retryRules: [rule({ exitCode: [3], action: 'skip' })] }, b: ['a'] },
      { a: [exit(3)] },
    );
    expect({ states, end }).toEqual({ states: { a: 'skipped', b: 'skipped' }, end: 'success' });
  });

  it('a rule with skip needs no retries', async () => {
    const { states } = await run(
      { a: { retryRules: [rule({ cause: ['timeout'], action: 'skip' })] } },
      { a: [because('timeout')] },
    );
    expect(states).toEqual({ a: 'skipped' });
  });

  it('the cause of the failure stays on record when a rule skips the task, with the place of the rule', async () => {
    const { runId } = await run(
      { a: { retryRules: [rule({ exitCode: [9] }), rule({ action: 'skip' })] } },
      { a: [exit(3)] },
    );
    const { rows } = await pool.query('select outcome, cause, exit_code, evidence from task_try where run_id = $1', [
      runId,
    ]);
    expect(rows).toEqual([{ outcome: 'skipped', cause: 'exit_code', exit_code: 3, evidence: { retryRule: 1 } }]);
  });

  it('a rule with retry gives no try more than the task has', async () => {
    const { started, states } = await run({ a: { retries: 1, retryRules: [rule({})] } }, { a: [exit(1)] });
    expect({ started, states }).toEqual({ started: ['a#1', 'a#2'], states: { a: 'failed' } });
  });

  it('only what a rule names is retried when the last rule fails everything else', async () => {
    const retryRules = [rule({ exception: ['TimeoutError'] }), rule({ action: 'fail' })];
    const { started, states } = await run(
      { a: { retries: 9, retryRules }, b: { retries: 9, retryRules } },
      { a: [raised('TimeoutError', 'OSError'), raised('ValueError')], b: [raised('KeyError')] },
    );
    expect({ started: started.sort(), states }).toEqual({
      started: ['a#1', 'a#2', 'b#1'],
      states: { a: 'failed', b: 'failed' },
    });
  });

  it('a rule about an exception holds for its subclasses', async () => {
    const { states } = await run(
      { a: { retries: 3, retryRules: [rule({ exception: ['requests.exceptions.ConnectionError'], action: 'skip' })] } },
      { a: [raised('requests.exceptions.ConnectTimeout', 'requests.exceptions.ConnectionError', 'OSError')] },
    );
    expect(states).toEqual({ a: 'skipped' });
  });

  it('a rule about the message asks what the failure says', async () => {
    const { started, states } = await run(
      { a: { retries: 3, retryRules: [rule({ message: '(?i)no such TABLE', action: 'fail' })] } },
      {
        a: [
          { outcome: 'failed', cause: 'exception', message: 'connection lost' },
          { outcome: 'failed', cause: 'exception', message: 'No such table: t' },
        ],
      },
    );
    expect({ started, states }).toEqual({ started: ['a#1', 'a#2'], states: { a: 'failed' } });
  });

  it('the delay of a rule replaces the delay of the task', async () => {
    const options = { retries: 1, retryDelay: 5000, retryRules: [rule({ exitCode: [75], delay: 60 })] };
    const { dagId } = await engine.deploy(dagOf('delays', { a: options, b: options }));
    const [{ runId } = { runId: 0 }] = await engine.createRuns([{ dagId, kind: 'manual' }]);
    await work(engine, worker, ({ taskId }) => exit(taskId === 'a' ? 75 : 1) as Partial<TaskReport>);
    const { rows } = await pool.query(
      `select task_index, extract(epoch from due_at - ended_at)::float8 as seconds
       from task_timer join task_try using (run_id, task_index, map_index) where run_id = $1 order by task_index`,
      [runId],
    );
    expect(rows).toEqual([
      { task_index: 0, seconds: 60 },
      { task_index: 1, seconds: 5000 },
    ]);
    await engine.cancelRun(runId, 'test');
  });
});

describe('failures of the infrastructure', () => {
  it('a lost worker costs no retry', async () => {
    const { started, states } = await run(
      { a: { retries: 0, infraRetries: 3 } },
      { a: [because('worker_lost'), 'success'] },
    );
    expect({ started, states }).toEqual({ started: ['a#1', 'a#2'], states: { a: 'success' } });
  });

  it('the task keeps all its retries for its own failures', async () => {
    const { started, states } = await run(
      { a: { retries: 2, infraRetries: 3 } },
      { a: [because('worker_lost'), exit(1), because('lease_expired'), exit(1), exit(1)] },
    );
    expect({ started, states }).toEqual({ started: ['a#1', 'a#2', 'a#3', 'a#4', 'a#5'], states: { a: 'failed' } });
  });

  it('when the infrastructure has failed too often, a further loss counts as the task’s own failure', async () => {
    const { started, states } = await run({ a: { retries: 1, infraRetries: 2 } }, { a: [because('interrupted')] });
    expect({ started, states }).toEqual({ started: ['a#1', 'a#2', 'a#3', 'a#4'], states: { a: 'failed' } });
  });

  it('with infraRetries 0 every loss counts as the task’s own failure', async () => {
    const { started } = await run({ a: { retries: 1, infraRetries: 0 } }, { a: [because('worker_lost')] });
    expect(started).toEqual(['a#1', 'a#2']);
  });

  it('a task that must not run twice fails at the first loss, by a rule', async () => {
    const { started, states } = await run(
      {
        a: {
          retries: 3,
          infraRetries: 3,
          retryRules: [rule({ cause: ['worker_lost', 'lease_expired', 'interrupted'], action: 'fail' })],
        },
      },
      { a: [because('worker_lost')] },
    );
    expect({ started, states }).toEqual({ started: ['a#1'], states: { a: 'failed' } });
  });

  it('a cleared task has its full budgets again', async () => {
    const { runId } = await run({ a: { retries: 0, infraRetries: 1 } }, { a: [because('worker_lost')] });
    expect((await statesOf(database, runId))['a']).toBe('failed');
    await engine.editTasks({ runId, action: 'clear', taskIds: null, actor: 'test' });
    const started = await workOn(runId, ({ tryNumber }) => (tryNumber < 4 ? because('worker_lost') : 'success'));
    expect({ started, states: await statesOf(database, runId) }).toEqual({
      started: ['a#3', 'a#4'],
      states: { a: 'success' },
    });
  });
});
