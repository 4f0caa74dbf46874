/** What sensors do that the service looks for itself: no worker takes part. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Json } from '#sdk/protocol.ts';
import { createListener, type Listener } from '#db/listen.ts';
import { checkRuns } from '../helpers/check-runs.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { createTestEngine, runStateOf, statesOf, work } from '../helpers/engine.ts';
import { endOf, reach, resultsOf, specOf, startWaiting } from '../helpers/waiting.ts';
import { waitFor } from '../helpers/wait-for.ts';

const database = await createTestDatabase();
const { pool } = database;
const engine = createTestEngine(database);
let listener: Listener;
let waiting: Awaited<ReturnType<typeof startWaiting>>;
let dags = 0;

/** What the server answers; asked so often. */
const site = { status: 404, body: '', asked: 0 };
let server: Server;
let address: string;

beforeAll(async () => {
  listener = createListener(database.url);
  await listener.start();
  waiting = await startWaiting(database, engine, listener);
  server = createServer((_request, response) => {
    site.asked++;
    response.writeHead(site.status).end(site.body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/ready`;
});
beforeEach(() => void Object.assign(site, { status: 404, body: '', asked: 0 }));
afterEach(async () => {
  await checkRuns(database);
  expect([...waiting.errors, ...engine.errors]).toEqual([]);
});
afterAll(async () => {
  await waiting.stop();
  await listener.stop();
  await engine.stop();
  await new Promise((resolve) => server.close(resolve));
});

interface RunOptions {
  dagId?: string;
  options?: object;
  logicalDate?: Date;
  conf?: { [key: string]: Json };
}

async function run(tasks: Record<string, object>, { dagId = `dag_${++dags}`, options = {}, ...more }: RunOptions = {}) {
  const { dagId: id } = await engine.deploy(specOf(dagId, tasks, options));
  const [created] = await engine.createRuns([{ dagId: id, kind: 'manual', ...more }]);
  return created!.runId;
}

const sensor = (target: object, more: object = {}) => ({ kind: 'sensor', for: target, pokeInterval: 0.1, ...more });
const after = (task: string, more: object = {}) => ({ upstream: [task], ...more });
const soon = (ms: number) => new Date(Date.now() + ms).toISOString();

describe('a sensor for a time', () => {
  it('succeeds when the time has come, and its downstream follows', async () => {
    const at = soon(400);
    const runId = await run({ wait: sensor({ time: at }), next: after('wait') });
    await reach(database, runId, { wait: 'success', next: 'success' });
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(at));
    expect(await resultsOf(database, runId, 'wait')).toEqual({ return_value: at });
  });

  it('succeeds at once when the time has passed', async () => {
    const runId = await run({ wait: sensor({ time: '2020-01-01' }) });
    await reach(database, runId, { wait: 'success' });
  });

  it('takes the time from a template', async () => {
    const runId = await run(
      { wait: sensor({ time: '{{ ds }}T00:00:00Z' }) },
      { logicalDate: new Date('2021-05-05T00:00:00Z') },
    );
    await reach(database, runId, { wait: 'success' });
    expect(await resultsOf(database, runId, 'wait')).toEqual({ return_value: '2021-05-05T00:00:00.000Z' });
  });

  it('fails at once, without a retry, when what it waits for is no time', async () => {
    const runId = await run({ wait: sensor({ time: 'tomorrow' }, { retries: 3 }), next: after('wait') });
    await reach(database, runId, { wait: 'failed', next: 'upstream_failed' });
    expect(await endOf(database, runId, 'wait')).toMatchObject({ try_number: 1, message: /ISO 8601/ });
  });

  it('waits for a time after the data interval', async () => {
    const { dagId } = await engine.deploy(specOf(`dag_${++dags}`, { wait: sensor({ delta: '1d' }) }));
    const interval = { intervalStart: new Date('2021-01-01Z'), intervalEnd: new Date('2021-01-02Z') };
    const [created] = await engine.createRuns([{ dagId, kind: 'manual', ...interval }]);
    await reach(database, created!.runId, { wait: 'success' });
    expect(await resultsOf(database, created!.runId, 'wait')).toEqual({ return_value: '2021-01-03T00:00:00.000Z' });
  });

  it('fails when its timeout comes first', async () => {
    const runId = await run({ wait: sensor({ time: soon(600_000) }, { timeout: 0.2, retries: 5 }) });
    await reach(database, runId, { wait: 'failed' });
    expect(await endOf(database, runId, 'wait')).toMatchObject({ cause: 'wait_timeout', try_number: 1 });
    expect(await runStateOf(database, runId)).toBe('failed');
  });

  it('is skipped, and its downstream with it, when its timeout comes first and failures are soft', async () => {
    const runId = await run({
      wait: sensor({ time: soon(600_000) }, { timeout: 0.2, softFail: true }),
      next: after('wait'),
    });
    await reach(database, runId, { wait: 'skipped', next: 'skipped' });
    expect(await runStateOf(database, runId)).toBe('success');
  });

  it('counts the time limit of a try apart from its timeout: that one is retried', async () => {
    const runId = await run({
      wait: sensor({ time: soon(600_000) }, { executionTimeout: 0.2, retries: 1, retryDelay: 0 }),
    });
    await reach(database, runId, { wait: 'failed' });
    expect(await endOf(database, runId, 'wait')).toMatchObject({ cause: 'timeout', try_number: 2 });
  });
});

describe('a deferred sensor', () => {
  it('holds neither a worker nor a place among the active tasks', async () => {
    const runId = await run(
      {
        wait: sensor({ time: soon(600_000) }),
        a: { kind: 'bash', command: 'true' },
        b: { kind: 'bash', command: 'true' },
      },
      { options: { maxActiveTasks: 1 } },
    );
    await reach(database, runId, { wait: 'deferred', a: 'queued', b: 'scheduled' });
    await work(engine, await engine.worker());
    await reach(database, runId, { wait: 'deferred', a: 'success', b: 'success' });
    expect(await runStateOf(database, runId)).toBe('running');
    await engine.cancelRun(runId, 'test');
  });

  it('ends with its run when that is cancelled', async () => {
    const runId = await run({ wait: sensor({ time: soon(600_000) }), next: after('wait') });
    await reach(database, runId, { wait: 'deferred', next: 'none' });
    expect(await engine.cancelRun(runId, 'anna')).toBe('cancelled');
    expect(await statesOf(database, runId)).toEqual({ wait: 'cancelled', next: 'cancelled' });
    const { rows } = await pool.query('select from trigger_wait where run_id = $1', [runId]);
    expect(rows).toHaveLength(0);
  });

  it('is over when a person marks it, and goes on from there', async () => {
    const runId = await run({ wait: sensor({ time: soon(600_000) }), next: after('wait') });
    await reach(database, runId, { wait: 'deferred', next: 'none' });
    await engine.editTasks({ runId, action: 'success', taskIds: ['wait'], actor: 'anna' });
    // An empty task is settled when its upstream is
    await reach(database, runId, { wait: 'success', next: 'success' });
  });

  it('begins anew when it is cleared, with its whole timeout', async () => {
    const runId = await run({ wait: sensor({ time: soon(600_000) }, { timeout: 100 }) });
    await reach(database, runId, { wait: 'deferred' });
    await engine.editTasks({ runId, action: 'clear', taskIds: ['wait'], actor: 'anna' });
    await waitFor(async () => (await attempt(runId)) === 2, { timeoutMs: 10_000, what: 'the second try' });
    await reach(database, runId, { wait: 'deferred' });
    const { rows } = await pool.query<{ left: number }>(
      'select extract(epoch from timeout_at - clock_timestamp())::float8 as left from trigger_wait where run_id = $1',
      [runId],
    );
    expect(rows[0]!.left).toBeGreaterThan(95);
    await engine.cancelRun(runId, 'test');
  });
});

const attempt = async (runId: number): Promise<number> => {
  const { rows } = await pool.query<{ try_number: number }>('select try_number from task_instance where run_id = $1', [
    runId,
  ]);
  return rows[0]!.try_number;
};

describe('a sensor for an HTTP answer', () => {
  it('asks until the answer is as wanted', async () => {
    const runId = await run({ wait: sensor({ http: address }), next: after('wait') });
    await waitFor(() => site.asked >= 3, { timeoutMs: 10_000, what: 'three questions' });
    expect(await statesOf(database, runId)).toEqual({ wait: 'deferred', next: 'none' });
    Object.assign(site, { status: 200, body: '{"rows": 3}' });
    await reach(database, runId, { wait: 'success', next: 'success' });
    expect(await resultsOf(database, runId, 'wait')).toEqual({ return_value: { status: 200, body: { rows: 3 } } });
  });

  it('waits for a value in the JSON of the answer', async () => {
    Object.assign(site, { status: 200, body: '{"job": {"state": "running"}}' });
    const runId = await run({ wait: sensor({ http: { url: address, json: { 'job.state': 'done' } } }) });
    await waitFor(() => site.asked >= 2, { timeoutMs: 10_000, what: 'two questions' });
    expect(await statesOf(database, runId)).toEqual({ wait: 'deferred' });
    site.body = '{"job": {"state": "done"}}';
    await reach(database, runId, { wait: 'success' });
  });

  it('waits for a text in the answer', async () => {
    Object.assign(site, { status: 200, body: 'not yet' });
    const runId = await run({ wait: sensor({ http: { url: address, contains: 'all done' } }) });
    await waitFor(() => site.asked >= 2, { timeoutMs: 10_000, what: 'two questions' });
    site.body = 'now all done.';
    await reach(database, runId, { wait: 'success' });
  });

  it('fails on a status that is named as a failure, and is retried', async () => {
    site.status = 500;
    const target = { http: { url: address, failStatus: '5xx' } };
    const runId = await run({ wait: sensor(target, { retries: 1, retryDelay: 0 }) });
    await reach(database, runId, { wait: 'failed' });
    expect(await endOf(database, runId, 'wait')).toMatchObject({ cause: 'poke_failed', try_number: 2 });
  });

  it('goes on over failing looks where they are to be ignored', async () => {
    site.status = 500;
    const target = { http: { url: address, failStatus: '5xx' } };
    const runId = await run({ wait: sensor(target, { pokeError: 'ignore' }) });
    await waitFor(() => site.asked >= 3, { timeoutMs: 10_000, what: 'three questions' });
    site.status = 200;
    await reach(database, runId, { wait: 'success' });
  });

  it('is skipped at a failing look where that is wanted', async () => {
    site.status = 500;
    const target = { http: { url: address, failStatus: '5xx' } };
    const runId = await run({ wait: sensor(target, { pokeError: 'skip', retries: 3 }), next: after('wait') });
    await reach(database, runId, { wait: 'skipped', next: 'skipped' });
  });

  it('waits for a service that is not there yet', async () => {
    const runId = await run({ wait: sensor({ http: 'http://127.0.0.1:9/' }, { timeout: 0.5 }) });
    await reach(database, runId, { wait: 'failed' });
    expect(await endOf(database, runId, 'wait')).toMatchObject({ cause: 'wait_timeout', message: /no answer/ });
  });

  it('keeps its total timeout over retries', async () => {
    site.status = 500;
    const target = { http: { url: address, failStatus: '5xx' } };
    const runId = await run({ wait: sensor(target, { retries: 1000, retryDelay: 0.1, timeout: 1.5 }) });
    await reach(database, runId, { wait: 'failed' });
    expect(await endOf(database, runId, 'wait')).toMatchObject({ cause: 'wait_timeout' });
  });
});

describe('a sensor for a task of another DAG', () => {
  const date = new Date('2022-02-02T00:00:00Z');
  const other = {
    make: { kind: 'bash', command: 'true' },
    more: { kind: 'bash', command: 'true', upstream: ['make'] },
  };

  it('goes on as soon as that task has succeeded in the run of the same logical date', async () => {
    const dagId = `dag_${++dags}`;
    const theirs = await run(other, { dagId, logicalDate: date });
    const runId = await run(
      { wait: sensor({ task: { dagId, taskIds: 'make' } }, { pokeInterval: 3600 }), next: after('wait') },
      { logicalDate: date },
    );
    await reach(database, runId, { wait: 'deferred', next: 'none' });
    const worker = await engine.worker();
    const [dispatch] = await engine.claim({ workerId: worker, queues: ['default'], limit: 1 });
    const report = { dispatchId: dispatch!.dispatchId, outcome: 'success', cause: 'ok', logBytes: 0 } as const;
    await engine.report({ workerId: worker, reports: [report] });
    // Long before the next look is due: the end of the other task calls for it
    await reach(database, runId, { wait: 'success', next: 'success' });
    expect(await resultsOf(database, runId, 'wait')).toEqual({ return_value: { runId: String(theirs) } });
    await work(engine, worker);
  });

  it('waits for a whole run when no task is named', async () => {
    const dagId = `dag_${++dags}`;
    await run(other, { dagId, logicalDate: date });
    const runId = await run({ wait: sensor({ task: dagId }, { pokeInterval: 3600 }) }, { logicalDate: date });
    await reach(database, runId, { wait: 'deferred' });
    await work(engine, await engine.worker());
    await reach(database, runId, { wait: 'success' });
  });

  it('waits for a run that is not there yet', async () => {
    const dagId = `dag_${++dags}`;
    await engine.deploy(specOf(dagId, { done: {} }));
    const runId = await run({ wait: sensor({ task: dagId }, { pokeInterval: 3600 }) }, { logicalDate: date });
    await reach(database, runId, { wait: 'deferred' });
    await run({ done: {} }, { dagId, logicalDate: date });
    await reach(database, runId, { wait: 'success' });
  });

  it('looks at an earlier logical date', async () => {
    const dagId = `dag_${++dags}`;
    await run({ done: {} }, { dagId, logicalDate: new Date('2022-02-01T00:00:00Z') });
    const runId = await run({ wait: sensor({ task: { dagId, delta: '1d' } }) }, { logicalDate: date });
    await reach(database, runId, { wait: 'success' });
  });

  it('looks at the logical date that a template says', async () => {
    const dagId = `dag_${++dags}`;
    await run({ done: {} }, { dagId, logicalDate: new Date('2022-02-01T00:00:00Z') });
    const runId = await run(
      { wait: sensor({ task: { dagId, at: '{{ conf.day }}' } }) },
      { conf: { day: '2022-02-01' } },
    );
    await reach(database, runId, { wait: 'success' });
  });

  it('does not see other dates', async () => {
    const dagId = `dag_${++dags}`;
    await run({ done: {} }, { dagId, logicalDate: new Date('2022-02-01T00:00:00Z') });
    const runId = await run({ wait: sensor({ task: dagId }, { timeout: 0.4 }) }, { logicalDate: date });
    await reach(database, runId, { wait: 'failed' });
    expect(await endOf(database, runId, 'wait')).toMatchObject({ cause: 'wait_timeout', message: /there is no run/ });
  });

  const failing = async () => {
    const dagId = `dag_${++dags}`;
    await run(other, { dagId, logicalDate: date });
    await work(engine, await engine.worker(), ({ taskId }) => (taskId === 'make' ? 'failed' : 'success'));
    return dagId;
  };

  it('fails with a link to that run when the task failed and failures are named', async () => {
    const dagId = await failing();
    const target = { task: { dagId, taskIds: 'make', failedStates: ['failed', 'upstream_failed'] } };
    const runId = await run({ wait: sensor(target) }, { logicalDate: date });
    await reach(database, runId, { wait: 'failed' });
    expect(await endOf(database, runId, 'wait')).toMatchObject({
      cause: 'awaited_failed',
      evidence: { dagId, state: 'failed' },
    });
  });

  it('goes on waiting over a failure that is not named: somebody may clear that task', async () => {
    const dagId = await failing();
    const runId = await run({ wait: sensor({ task: { dagId, taskIds: 'make' } }) }, { logicalDate: date });
    await reach(database, runId, { wait: 'deferred' });
    const { rows } = await pool.query<{ id: number }>(
      'select r.id from dag_run r join dag d on d.id = r.dag_id where d.name = $1',
      [dagId],
    );
    await engine.editTasks({ runId: rows[0]!.id, action: 'success', taskIds: ['make'], actor: 'anna' });
    await reach(database, runId, { wait: 'success' });
    await work(engine, await engine.worker());
  });

  it('is skipped when that task is in a state to skip for', async () => {
    const dagId = await failing();
    const target = { task: { dagId, taskIds: 'more', skippedStates: ['upstream_failed'] } };
    const runId = await run({ wait: sensor(target), next: after('wait') }, { logicalDate: date });
    await reach(database, runId, { wait: 'skipped', next: 'skipped' });
  });

  it('waits for several tasks at once', async () => {
    const dagId = `dag_${++dags}`;
    await run(other, { dagId, logicalDate: date });
    const target = { task: { dagId, taskIds: ['make', 'more'] } };
    const runId = await run({ wait: sensor(target, { pokeInterval: 3600 }) }, { logicalDate: date });
    await reach(database, runId, { wait: 'deferred' });
    await work(engine, await engine.worker());
    await reach(database, runId, { wait: 'success' });
  });

  it('fails at once when the task does not exist and that is to be checked', async () => {
    const dagId = `dag_${++dags}`;
    await run({ done: {} }, { dagId });
    const target = { task: { dagId, taskIds: 'nowhere', checkExistence: true } };
    const runId = await run({ wait: sensor(target) }, { logicalDate: date });
    await reach(database, runId, { wait: 'failed' });
    expect(await endOf(database, runId, 'wait')).toMatchObject({ cause: 'not_found', message: /no task 'nowhere'/ });
  });

  it('fails when its own run has no logical date, and it names none', async () => {
    const runId = await run({ wait: sensor({ task: 'anything' }) });
    await reach(database, runId, { wait: 'failed' });
    expect(await endOf(database, runId, 'wait')).toMatchObject({ cause: 'not_found', message: /no logical date/ });
  });
});
