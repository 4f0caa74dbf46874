import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { LogChunk } from '#sdk/protocol.ts';
import { createListener } from '#db/listen.ts';
import { createSupervisorClient, type SupervisorClient } from '#server/runner/supervisor-client.ts';
import { createDirectWorkerApi } from '#server/worker/direct-worker-api.ts';
import { startWorker } from '#server/worker/worker.ts';
import { checkRuns } from '../../helpers/check-runs.ts';
import { createTestDatabase } from '../../helpers/database.ts';
import { createTestEngine, dagOf, runStateOf, statesOf } from '../../helpers/engine.ts';
import { waitFor } from '../../helpers/wait-for.ts';

const database = await createTestDatabase();
const engine = createTestEngine(database);
const listener = createListener(database.url);
await listener.start();
const home = mkdtempSync(join(tmpdir(), 'millrace-worker-'));
afterEach(() => checkRuns(database));
afterAll(async () => {
  await engine.stop();
  await listener.stop();
  rmSync(home, { recursive: true, force: true });
});

async function workerNamed(name: string, chunks: LogChunk[] = []) {
  const errors: unknown[] = [];
  const api = createDirectWorkerApi({
    db: database.db,
    engine,
    listener,
    appendLogs: async (more) => void chunks.push(...more),
  });
  let client: SupervisorClient | undefined;
  const worker = await startWorker({
    api,
    info: { name, queues: ['default'], slots: 4, version: 'test', hostname: null, pid: null },
    supervise: (onEvent) =>
      (client = createSupervisorClient({
        home,
        fetchBundleDir: () => Promise.reject(new Error('no bundles here')),
        onEvent,
      })),
    onError: (error) => errors.push(error),
  });
  return { ...worker, errors, supervisor: () => client?.pid() ?? 0 };
}

async function trigger(spec: ReturnType<typeof dagOf>): Promise<number> {
  const { dagId } = await engine.deploy(spec);
  const [run] = await engine.createRuns([{ dagId, kind: 'manual' }]);
  return run!.runId;
}

const ended = (runId: number) =>
  waitFor(async () => !['queued', 'running'].includes((await runStateOf(database, runId)) ?? '') && true, {
    what: 'the run’s end',
  });

describe('a worker', () => {
  it('runs what is ready, ships its log before its end, and takes the next', async () => {
    const chunks: LogChunk[] = [];
    const worker = await workerNamed('a', chunks);
    const runId = await trigger(
      dagOf('shell', {
        hello: { command: 'echo hello; echo oops >&2' },
        answer: { upstream: ['hello'], command: 'echo "{{ ti.xcom_pull(\'hello\') }} there"' },
      }),
    );
    await ended(runId);
    expect(await statesOf(database, runId)).toEqual({ hello: 'success', answer: 'success' });
    const log = chunks.map((chunk) => chunk.body).join('');
    expect(log).toMatch(/ o hello\n/);
    expect(log).toMatch(/ e oops\n/);
    expect(log).toMatch(/ o hello there\n/);
    const { rows } = await database.pool.query<{ log_bytes: number }>(
      'select log_bytes from task_try where run_id = $1 order by task_index',
      [runId],
    );
    expect(rows.map((row) => row.log_bytes).reduce((a, b) => a + b)).toBe(Buffer.byteLength(log));
    await worker.stop(5000);
    expect(worker.errors).toEqual([]);
  });

  it('kills what is cancelled', async () => {
    const worker = await workerNamed('b');
    const runId = await trigger(dagOf('sleeper', { sleep: { command: 'sleep 600' } }));
    await waitFor(async () => (await statesOf(database, runId))['sleep'] === 'running', { what: 'the task to run' });
    await engine.cancelRun(runId, 'test');
    await waitFor(() => worker.running() === 0, { what: 'the worker to be free' });
    expect(await statesOf(database, runId)).toEqual({ sleep: 'cancelled' });
    await worker.stop(5000);
  });

  it('says in the log of a task that it was lost with its supervisor', async () => {
    const chunks: LogChunk[] = [];
    const worker = await workerNamed('killed', chunks);
    const runId = await trigger(dagOf('lost_too', { a: { command: 'echo begun; sleep 600' } }));
    await waitFor(() => chunks.length > 0, { what: 'output' });
    process.kill(worker.supervisor(), 'SIGKILL');
    await ended(runId);
    const log = chunks.map((chunk) => chunk.body).join('');
    expect(log.replaceAll(/^\S+ /gm, '')).toBe('o begun\ns The supervisor process that ran it ended.\n');
    const { rows } = await database.pool.query('select cause, log_bytes from task_try where run_id = $1', [runId]);
    expect(rows).toEqual([{ cause: 'worker_lost', log_bytes: Buffer.byteLength(log) }]);
    await worker.stop(5000);
  });

  it('finishes what runs when it is stopped, and claims nothing more', async () => {
    const chunks: LogChunk[] = [];
    const worker = await workerNamed('c', chunks);
    const runId = await trigger(dagOf('drain', { a: { command: 'echo begun; sleep 0.5' }, b: ['a'] }));
    await waitFor(() => chunks.some((chunk) => chunk.body.includes('begun')), { what: 'the command to begin' });
    await worker.stop(5000);
    expect(await statesOf(database, runId)).toEqual({ a: 'success', b: 'queued' });
    await engine.cancelRun(runId, 'test');
  });

  it('that comes back under its name ends what it left behind, with that cause', async () => {
    const lost = await engine.registerWorker({
      name: 'd',
      queues: ['default'],
      slots: 1,
      version: 'test',
      hostname: null,
      pid: null,
    });
    const runId = await trigger(dagOf('lost', { a: [] }));
    await waitFor(async () => (await engine.claim({ workerId: lost, queues: ['default'], limit: 1 })).length === 1);
    const worker = await workerNamed('d');
    await ended(runId);
    const { rows } = await database.pool.query('select outcome, cause from task_try where run_id = $1', [runId]);
    expect(rows).toEqual([{ outcome: 'failed', cause: 'worker_lost' }]);
    const log = await database.pool.query<{ body: string }>('select body from log_chunk where run_id = $1', [runId]);
    expect(log.rows.map(({ body }) => body.slice(25))).toEqual(['s Its worker ended without finishing it.\n']);
    await worker.stop(5000);
  });
});
