import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApiToken } from '#server/auth/users.ts';
import { checkRuns } from '../../helpers/check-runs.ts';
import { runCli, startCli, type RunningCli } from '../../helpers/cli.ts';
import { createTestDatabase } from '../../helpers/database.ts';
import { createTestEngine, dagOf, statesOf } from '../../helpers/engine.ts';
import { startServerProcess, type ServerProcess } from '../../helpers/server-process.ts';
import { waitFor } from '../../helpers/wait-for.ts';

const database = await createTestDatabase();
const engine = createTestEngine(database);
const home = mkdtempSync(join(tmpdir(), 'millrace-drain-'));
let server: ServerProcess;
let tokens: { worker: string; admin: string };
const started: RunningCli[] = [];

const tokenOf = async (role: 'worker' | 'admin') =>
  (await createApiToken(database.db, { name: role, role, expiresInDays: 1, actor: 'test' })).token;

beforeAll(async () => {
  tokens = { worker: await tokenOf('worker'), admin: await tokenOf('admin') };
  server = await startServerProcess(database.url);
});
afterAll(async () => {
  for (const worker of started) await worker.kill('SIGKILL');
  await server.kill();
  await engine.stop();
  rmSync(home, { recursive: true, force: true });
});

async function startWorker(name: string, env: { [name: string]: string } = {}): Promise<RunningCli> {
  const own = { MILLRACE_HOME: home, MILLRACE_URL: server.url, MILLRACE_TOKEN: tokens.worker, ...env };
  const labels = ['--name', name, '--labels', `zone=a,of=${name}`];
  const worker = startCli(['worker', '--queues', name, '--slots', '2', ...labels], own);
  started.push(worker);
  await worker.sees(/the worker takes tasks/);
  return worker;
}
const workers = (...args: string[]) =>
  runCli(['workers', ...args], { MILLRACE_HOME: home, MILLRACE_URL: server.url, MILLRACE_TOKEN: tokens.admin });
const shown = async (name: string) => JSON.parse((await workers('show', name, '--json')).stdout);

/** Runs of one task each, on the queue of that name. */
async function trigger(queue: string, command: string, runs = 1): Promise<number[]> {
  const { dagId } = await engine.deploy(dagOf(queue, { a: { queue, command, infraRetries: 3, retries: 0 } }));
  const made = await engine.createRuns(Array.from({ length: runs }, () => ({ dagId, kind: 'manual' as const })));
  return made.map((run) => run.runId);
}
const stateOf = async (runId: number) => (await statesOf(database, runId))['a'];
const states = (runIds: number[]) => Promise.all(runIds.map(stateOf));
/** The code of so many tasks of these runs has begun. */
const begun = (runIds: number[], count: number) =>
  waitFor(
    async () => {
      const { rows } = await database.pool.query('select distinct dispatch_id from log_chunk where run_id = any($1)', [
        runIds,
      ]);
      return rows.length === count;
    },
    { what: `${count} tasks that print` },
  );

describe('millrace workers', () => {
  it('lists them with labels, CPU and memory, and shows what one runs', async () => {
    await startWorker('seen');
    const [runId] = await trigger('seen', 'echo dozing; sleep 600');
    await begun([runId!], 1);
    const worker = await shown('seen');
    expect(worker).toMatchObject({
      state: 'ONLINE',
      queues: ['seen'],
      slots: 2,
      running: 1,
      labels: [
        { name: 'of', value: 'seen' },
        { name: 'zone', value: 'a' },
      ],
      usage: { memoryLimit: expect.any(Number), cpus: expect.any(Number) },
    });
    expect(worker.usage.ownMemory).toBeGreaterThan(30 * 2 ** 20);
    const task = { taskId: 'a', mapIndex: -1, tryNumber: 1, dagRun: { runId: String(runId), dag: { dagId: 'seen' } } };
    expect(worker.tasks.edges).toMatchObject([{ node: task }]);
    expect((await workers('list')).stdout).toMatch(/^seen +online +seen +1\/2 .*of=seen,zone=a/m);
    expect((await workers('show', 'seen')).stdout).toMatch(/^seen +\d+ +a +1 /m);
    await engine.cancelRun(runId!, 'test');
  });
});

describe('a worker that is drained', () => {
  it('finishes what it runs, takes nothing new, and ends with exit code 0', async () => {
    const worker = await startWorker('finish');
    const runs = await trigger('finish', 'echo begun; sleep 3', 3);
    await begun(runs, 2);
    const drained = await workers('drain', 'finish', '--wait', '--json');
    expect(JSON.parse(drained.stdout)).toMatchObject({ name: 'finish', state: 'OFFLINE' });
    expect(await worker.ended).toMatchObject({ code: 0, signal: null });
    expect((await states(runs)).sort()).toEqual(['queued', 'success', 'success']);
    expect((await workers('list', '--queue', 'finish', '--json')).stdout).toBe('[]\n');
    expect(await shown('finish')).toMatchObject({ state: 'OFFLINE', finished: 2 });
  });

  it('hands back at once what runs, which costs no try of its own', async () => {
    const worker = await startWorker('back');
    const runs = await trigger('back', 'echo begun; sleep 600', 2);
    await begun(runs, 2);
    await workers('drain', 'back', '--hand-back', '--wait');
    expect(await worker.ended).toMatchObject({ code: 0, signal: null });
    expect(await states(runs)).toEqual(['up_for_retry', 'up_for_retry']);
    const { rows } = await database.pool.query('select outcome, cause from task_try where run_id = any($1)', [runs]);
    expect(rows).toEqual(Array(2).fill({ outcome: 'failed', cause: 'interrupted' }));
  });

  it('takes tasks again when it is resumed', async () => {
    const worker = await startWorker('resumed');
    const [long] = await trigger('resumed', 'echo begun; sleep 600');
    await begun([long!], 1);
    await workers('drain', 'resumed');
    await worker.sees(/the worker is to drain/);
    const [waiting] = await trigger('resumed', 'true');
    await workers('resume', 'resumed');
    await waitFor(async () => (await stateOf(waiting!)) === 'success', { what: 'the task that waited' });
    expect(await shown('resumed')).toMatchObject({ state: 'ONLINE', drain: null, running: 1 });
    await engine.cancelRun(long!, 'test');
  });

  it('is told apart from one that never was', async () => {
    expect(await workers('drain', 'nobody')).toMatchObject({
      code: 1,
      stderr: 'There is no worker "nobody" that has not gone.\n',
    });
  });
});

describe('signals', () => {
  it('a second one hands back at once, and the service hears of it', async () => {
    const worker = await startWorker('signals', { MILLRACE_SHUTDOWN_SECONDS: '600' });
    const [runId] = await trigger('signals', 'echo begun; sleep 600');
    await begun([runId!], 1);
    worker.child.kill('SIGTERM');
    await worker.sees(/stopping/);
    expect(await stateOf(runId!)).toBe('running');
    worker.child.kill('SIGTERM');
    expect(await worker.ended).toMatchObject({ signal: 'SIGTERM' });
    expect(await stateOf(runId!)).toBe('up_for_retry');
    await checkRuns(database);
  });

  it('after the time that tasks have, what is left is handed back', async () => {
    const worker = await startWorker('late', { MILLRACE_SHUTDOWN_SECONDS: '1' });
    const [runId] = await trigger('late', 'echo begun; sleep 600');
    await begun([runId!], 1);
    expect(await worker.kill('SIGTERM')).toMatchObject({
      signal: 'SIGTERM',
      stderr: expect.not.stringContaining('by force'),
    });
    expect(await stateOf(runId!)).toBe('up_for_retry');
  });
});
