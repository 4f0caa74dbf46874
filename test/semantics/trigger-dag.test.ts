/** What tasks do that start runs of other DAGs. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createListener, type Listener } from '#db/listen.ts';
import { checkRuns } from '../helpers/check-runs.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { createTestEngine, runStateOf, work } from '../helpers/engine.ts';
import { endOf, reach, resultsOf, specOf, startWaiting } from '../helpers/waiting.ts';
import { waitFor } from '../helpers/wait-for.ts';

const database = await createTestDatabase();
const { pool } = database;
const engine = createTestEngine(database);
let listener: Listener;
let waiting: Awaited<ReturnType<typeof startWaiting>>;
let dags = 0;

beforeAll(async () => {
  listener = createListener(database.url);
  await listener.start();
  waiting = await startWaiting(database, engine, listener);
});
afterEach(async () => {
  await checkRuns(database);
  expect([...waiting.errors, ...engine.errors]).toEqual([]);
});
afterAll(async () => {
  await waiting.stop();
  await listener.stop();
  await engine.stop();
});

/** A DAG to start; its one task takes a worker. */
async function child(options: object = {}, tasks: Record<string, object> = { job: { kind: 'bash', command: 'true' } }) {
  const name = `child_${++dags}`;
  const { dagId } = await engine.deploy(specOf(name, tasks, options));
  const runs = async () => {
    const { rows } = await pool.query<{
      id: number;
      run_key: string;
      state: string;
      conf: object | null;
      triggered_by: string;
      logical_date: Date | null;
    }>('select id, run_key, state, conf, triggered_by, logical_date from dag_run where dag_id = $1 order by id', [
      dagId,
    ]);
    return rows;
  };
  return { name, dagId, runs };
}

async function run(trigger: object, conf: { [key: string]: string } = {}) {
  const tasks = { start: { kind: 'trigger_dag', ...trigger }, next: { upstream: ['start'] } };
  const { dagId } = await engine.deploy(specOf(`parent_${++dags}`, tasks));
  const [created] = await engine.createRuns([{ dagId, kind: 'manual', conf }]);
  return created!.runId;
}

describe('a task that starts a run', () => {
  it('succeeds as soon as the run is there, with its key and id as results', async () => {
    const { name, runs } = await child();
    const runId = await run({ dagId: name });
    await reach(database, runId, { start: 'success', next: 'success' });
    const [made] = await runs();
    expect(await runs()).toHaveLength(1);
    expect(await resultsOf(database, runId, 'start')).toEqual({
      trigger_run_id: made!.run_key,
      return_value: { dagId: name, runId: String(made!.id), runKey: made!.run_key },
    });
  });

  it('gives the run its conf, key and logical date from templates', async () => {
    const { name, runs } = await child();
    const trigger = {
      dagId: name,
      conf: { day: '{{ conf.day }}', n: 3 },
      runKey: 'for_{{ conf.day }}',
      logicalDate: '{{ conf.day }}',
    };
    const runId = await run(trigger, { day: '2024-01-02' });
    await reach(database, runId, { start: 'success', next: 'success' });
    expect(await runs()).toMatchObject([
      { run_key: 'for_2024-01-02', conf: { day: '2024-01-02', n: 3 }, logical_date: new Date('2024-01-02') },
    ]);
  });

  it('fails when there is no such DAG', async () => {
    const runId = await run({ dagId: 'nowhere', retries: 3 });
    await reach(database, runId, { start: 'failed', next: 'upstream_failed' });
    expect(await endOf(database, runId, 'start')).toMatchObject({ cause: 'not_found', try_number: 1 });
  });

  it('fails when the conf does not fit the params of that DAG', async () => {
    const params = { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] };
    const { name, runs } = await child({ params });
    const runId = await run({ dagId: name, conf: { n: 'many' } });
    await reach(database, runId, { start: 'failed', next: 'upstream_failed' });
    expect(await endOf(database, runId, 'start')).toMatchObject({ message: /params\.n/ });
    expect(await runs()).toEqual([]);
  });

  describe('whose key is taken', () => {
    const taken = async (whenExists: string, more: object = {}) => {
      const made = await child();
      await engine.createRuns([{ dagId: made.dagId, kind: 'manual', runKey: 'mine' }]);
      await work(engine, await engine.worker());
      expect(await made.runs()).toMatchObject([{ state: 'success' }]);
      return { ...made, runId: await run({ dagId: made.name, runKey: 'mine', whenExists, ...more }) };
    };

    it('fails', async () => {
      const { runId, runs } = await taken('error');
      await reach(database, runId, { start: 'failed', next: 'upstream_failed' });
      const [one] = await runs();
      expect(await endOf(database, runId, 'start')).toMatchObject({
        cause: 'run_exists',
        evidence: { runId: String(one!.id) },
      });
    });

    it('is skipped where that is wanted', async () => {
      const { runId } = await taken('skip');
      await reach(database, runId, { start: 'skipped', next: 'skipped' });
    });

    it('takes the run as it is where that is wanted', async () => {
      const { runId, runs } = await taken('use', { wait: true });
      await reach(database, runId, { start: 'success', next: 'success' });
      expect(await runs()).toHaveLength(1);
    });

    it('clears the run where that is wanted, and waits for its new end', async () => {
      const { runId, runs } = await taken('reset', { wait: true });
      await reach(database, runId, { start: 'deferred', next: 'none' });
      expect(await runs()).toMatchObject([{ state: 'running' }]);
      await work(engine, await engine.worker());
      await reach(database, runId, { start: 'success', next: 'success' });
    });
  });
});

describe('a task that waits for the run that it starts', () => {
  it('goes on the moment that run has ended, long before it would look', async () => {
    const { name } = await child();
    const runId = await run({ dagId: name, wait: true, pokeInterval: 3600 });
    await reach(database, runId, { start: 'deferred', next: 'none' });
    await work(engine, await engine.worker());
    await reach(database, runId, { start: 'success', next: 'success' });
  });

  it('fails with a link when that run fails', async () => {
    const { name, runs } = await child();
    const runId = await run({ dagId: name, wait: true });
    await reach(database, runId, { start: 'deferred', next: 'none' });
    await work(engine, await engine.worker(), () => 'failed');
    await reach(database, runId, { start: 'failed', next: 'upstream_failed' });
    const [one] = await runs();
    expect(await endOf(database, runId, 'start')).toMatchObject({
      cause: 'awaited_failed',
      evidence: { dagId: name, runId: String(one!.id), state: 'failed' },
    });
  });

  it('starts another run at its next try', async () => {
    const { name, runs } = await child();
    const runId = await run({ dagId: name, wait: true, retries: 1, retryDelay: 0 });
    await reach(database, runId, { start: 'deferred', next: 'none' });
    const worker = await engine.worker();
    await work(engine, worker, () => 'failed');
    await waitFor(async () => (await runs()).length === 2, { timeoutMs: 10_000, what: 'the second run' });
    await reach(database, runId, { start: 'deferred', next: 'none' });
    await work(engine, worker);
    await reach(database, runId, { start: 'success', next: 'success' });
  });

  it('succeeds by a failed run where that is allowed', async () => {
    const { name } = await child();
    const runId = await run({ dagId: name, wait: true, allowedStates: ['success', 'failed'], failedStates: [] });
    await reach(database, runId, { start: 'deferred', next: 'none' });
    await work(engine, await engine.worker(), () => 'failed');
    await reach(database, runId, { start: 'success', next: 'success' });
  });

  it('fails when that run takes too long, and leaves it alone', async () => {
    const { name, runs } = await child();
    const runId = await run({ dagId: name, wait: true, timeout: 0.5 });
    await reach(database, runId, { start: 'failed', next: 'upstream_failed' });
    expect(await endOf(database, runId, 'start')).toMatchObject({ cause: 'wait_timeout' });
    expect(await runs()).toMatchObject([{ state: 'running' }]);
    await work(engine, await engine.worker());
  });

  it('takes that run along when its own is cancelled, if it says so', async () => {
    const { name, runs } = await child();
    const runId = await run({ dagId: name, wait: true, cancelChild: true });
    await reach(database, runId, { start: 'deferred', next: 'none' });
    await engine.cancelRun(runId, 'anna');
    await waitFor(async () => (await runs())[0]?.state === 'cancelled', {
      timeoutMs: 10_000,
      what: 'the child to be cancelled',
    });
    await waitFor(
      async () => (await pool.query('select from trigger_wait where run_id = $1', [runId])).rows.length === 0,
      {
        what: 'nothing to be left',
      },
    );
  });

  it('takes it along also when its own run still has to clean up', async () => {
    // Nobody serves its queue: it does not end by itself
    const { name, runs } = await child({}, { job: { kind: 'bash', command: 'true', queue: 'far' } });
    const tasks = {
      up: { setup: true, kind: 'bash', command: 'true' },
      start: { kind: 'trigger_dag', dagId: name, wait: true, cancelChild: true, upstream: ['up'] },
      down: {
        ...{ kind: 'bash', command: 'true', upstream: ['start', 'up'] },
        teardown: { setups: ['up'], failsRun: false },
      },
    };
    const { dagId } = await engine.deploy(specOf(`parent_${++dags}`, tasks));
    const [created] = await engine.createRuns([{ dagId, kind: 'manual' }]);
    const { runId } = created!;
    await work(engine, await engine.worker());
    await reach(database, runId, { up: 'success', start: 'deferred', down: 'none' });
    await engine.cancelRun(runId, 'anna');
    await waitFor(async () => (await runs())[0]?.state === 'cancelled', {
      timeoutMs: 10_000,
      what: 'the child to be cancelled',
    });
    await work(engine, await engine.worker());
    await reach(database, runId, { up: 'success', start: 'cancelled', down: 'success' });
  });

  it('leaves that run alone otherwise', async () => {
    const { name, runs } = await child();
    const runId = await run({ dagId: name, wait: true });
    await reach(database, runId, { start: 'deferred', next: 'none' });
    await engine.cancelRun(runId, 'anna');
    expect(await runStateOf(database, runId)).toBe('cancelled');
    expect(await runs()).toMatchObject([{ state: 'running' }]);
    await work(engine, await engine.worker());
  });
});
