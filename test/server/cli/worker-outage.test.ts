import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createApiToken } from '#server/auth/users.ts';
import { validateDagSpec } from '#sdk/validate-dag-spec.ts';
import { openBreakableLine, type BreakableLine } from '../../helpers/breakable-line.ts';
import { checkRuns } from '../../helpers/check-runs.ts';
import { startCli, type RunningCli } from '../../helpers/cli.ts';
import { createTestDatabase } from '../../helpers/database.ts';
import { createTestEngine, statesOf } from '../../helpers/engine.ts';
import { isAlive } from '../../helpers/processes.ts';
import { startServerProcess, type ServerProcess } from '../../helpers/server-process.ts';
import { waitFor } from '../../helpers/wait-for.ts';

const database = await createTestDatabase();
const engine = createTestEngine(database);
const home = mkdtempSync(join(tmpdir(), 'millrace-outage-'));
let server: ServerProcess;
let line: BreakableLine;
let token: string;
const workers: RunningCli[] = [];

beforeAll(async () => {
  server = await startServerProcess(database.url);
  line = await openBreakableLine(server.url);
  ({ token } = await createApiToken(database.db, { name: 'w', role: 'worker', expiresInDays: 1, actor: 'test' }));
});
afterAll(async () => {
  for (const worker of workers) await worker.kill('SIGKILL');
  await line.stop();
  await server.kill();
  await engine.stop();
  rmSync(home, { recursive: true, force: true });
});

/** A worker with a home of its own that serves the queue of its name. */
function startWorker(name: string, env: { [name: string]: string } = {}): RunningCli {
  const own = { MILLRACE_HOME: join(home, name), MILLRACE_URL: line.url, MILLRACE_TOKEN: token, ...env };
  const worker = startCli(['worker', '--name', name, '--queues', name, '--slots', '8'], own);
  workers.push(worker);
  return worker;
}
async function trigger(name: string, tasks: object[]): Promise<number> {
  const read = validateDagSpec({ dagId: name, tasks: tasks.map((task) => ({ queue: name, retries: 0, ...task })) });
  if (!read.ok) throw new Error(JSON.stringify(read.issues));
  const { dagId } = await engine.deploy(read.spec);
  const [run] = await engine.createRuns([{ dagId, kind: 'manual' }]);
  return run!.runId;
}
const untilFile = (name: string, go: string) => `until [ -e ${join(home, `${name}.${go}`)} ]; do sleep 0.05; done`;
const largeAfterFile = (name: string, go: string) => `
import os, time
def main():
    print("before")
    while not os.path.exists('${join(home, `${name}.${go}`)}'):
        time.sleep(0.05)
    return "x" * 200000`;
const seeState = (runId: number, wanted: { [taskId: string]: string }) =>
  waitFor(
    async () => {
      const states = await statesOf(database, runId);
      if (Object.entries(wanted).every(([taskId, state]) => states[taskId] === state)) return true;
      throw new Error(JSON.stringify(states));
    },
    { what: `${JSON.stringify(wanted)} in run ${runId}`, timeoutMs: 60_000 },
  );
/** So many tasks of it have printed something, so the worker has them. */
const begun = (runId: number, count: number) =>
  waitFor(
    async () => {
      const { rowCount } = await database.pool.query('select distinct dispatch_id from log_chunk where run_id = $1', [
        runId,
      ]);
      return rowCount === count;
    },
    { what: `output of ${count} tasks` },
  );
async function logOf(runId: number, taskId: string): Promise<string> {
  const { rows } = await database.pool.query<{ body: string }>(
    `select c.body from log_chunk c join task_try y on y.dispatch_id = c.dispatch_id
     join dag_run r on r.id = y.run_id join dag_version_task v on v.version_id = r.version_id and v.task_index = y.task_index
     where y.run_id = $1 and v.task_id = $2 order by c.byte_offset`,
    [runId, taskId],
  );
  return rows.map((row) => row.body).join('');
}
async function tryOf(runId: number, taskId: string) {
  const { rows } = await database.pool.query(
    `select y.outcome, y.cause, y.log_bytes from task_try y join dag_run r on r.id = y.run_id
     join dag_version_task v on v.version_id = r.version_id and v.task_index = y.task_index
     where y.run_id = $1 and v.task_id = $2`,
    [runId, taskId],
  );
  return rows[0] as { outcome: string; cause: string; log_bytes: number } | undefined;
}
/** Files that the worker has written down what it could not send to. */
function spooled(name: string): string[] {
  const folder = join(home, name, 'worker/spool');
  if (!existsSync(folder)) return [];
  return readdirSync(folder).flatMap((each) => readdirSync(join(folder, each)));
}
const writeEmpty = (name: string) => writeFileSync(join(home, name), '');

afterEach(() => line.mend());

describe('a worker whose service is away', { timeout: 120_000 }, () => {
  it('goes on, keeps what it has to tell, and tells it when the service is back', async () => {
    const worker = startWorker('steady');
    await worker.sees(/the worker takes tasks/);
    const runId = await trigger('steady', [
      { taskId: 'ends', kind: 'bash', command: `echo before; ${untilFile('steady', 'cut')}; echo during; echo 42` },
      { taskId: 'goes_on', kind: 'bash', command: `echo before; ${untilFile('steady', 'back')}; echo after` },
      { taskId: 'next', kind: 'bash', upstream: ['ends'], command: 'echo "{{ ti.xcom_pull("ends") }}"' },
    ]);
    await begun(runId, 2);
    expect(spooled('steady')).toEqual([]);
    await line.cut();
    writeEmpty('steady.cut');
    await waitFor(() => spooled('steady').some((name) => /^end-.*\.json$/.test(name)), { what: 'an end' });
    expect(spooled('steady').filter((name) => name.startsWith('log-'))).toHaveLength(1);
    await line.mend();
    await seeState(runId, { ends: 'success', next: 'success', goes_on: 'running' });
    writeEmpty('steady.back');
    await seeState(runId, { goes_on: 'success' });
    const log = await logOf(runId, 'ends');
    expect(log.replaceAll(/^\S+ /gm, '')).toBe('o before\no during\no 42\n');
    expect((await tryOf(runId, 'ends'))!.log_bytes).toBe(Buffer.byteLength(log));
    expect(await logOf(runId, 'next')).toContain(' o 42\n');
    await waitFor(() => spooled('steady').length === 0, { what: 'an empty spool' });
    await checkRuns(database);
  });

  it('and that is killed with -9 meanwhile: the one that starts after it tells what had ended', async () => {
    const worker = startWorker('killed');
    await worker.sees(/the worker takes tasks/);
    const runId = await trigger('killed', [
      { taskId: 'ends', kind: 'bash', command: `echo before; ${untilFile('killed', 'cut')}; echo during` },
      { taskId: 'large', kind: 'python', source: largeAfterFile('killed', 'cut') },
      {
        taskId: 'reads',
        kind: 'python',

        inputs: { text: 'large' },
        source: 'def main(text): print(len(text))',
      },
      { taskId: 'runs', kind: 'bash', command: 'echo before; sleep 600' },
    ]);
    await begun(runId, 3);
    await line.cut();
    writeEmpty('killed.cut');
    await waitFor(() => spooled('killed').filter((name) => name.endsWith('.json')).length === 2, { what: 'two ends' });
    expect(spooled('killed').filter((name) => name.endsWith('.result'))).toHaveLength(1);
    await worker.kill('SIGKILL');
    const after = startWorker('killed');
    await after.sees(/an earlier worker has left what it could not send/);
    await line.mend();
    await after.sees(/what an earlier worker had left was sent/);
    await seeState(runId, { ends: 'success', large: 'success', reads: 'success', runs: 'up_for_retry' });
    expect(await tryOf(runId, 'runs')).toMatchObject({ outcome: 'failed', cause: 'worker_lost' });
    expect((await logOf(runId, 'ends')).replaceAll(/^\S+ /gm, '')).toBe('o before\no during\n');
    expect(await logOf(runId, 'reads')).toContain(' o 200000\n');
    expect(spooled('killed')).toEqual([]);
    await checkRuns(database);
  });

  it('leaves what it cannot tell for the next one when it is stopped', async () => {
    const worker = startWorker('stopped');
    await worker.sees(/the worker takes tasks/);
    const runId = await trigger('stopped', [
      { taskId: 'a', kind: 'bash', command: `echo before; ${untilFile('stopped', 'cut')}; echo during` },
    ]);
    await begun(runId, 1);
    await line.cut();
    worker.child.kill('SIGTERM');
    await worker.sees(/stopping/);
    writeEmpty('stopped.cut');
    worker.child.kill('SIGTERM');
    expect(await worker.ended).toMatchObject({ signal: 'SIGTERM' });
    expect(spooled('stopped').some((name) => name.endsWith('.json'))).toBe(true);
    await line.mend();
    await startWorker('stopped').sees(/what an earlier worker had left was sent/);
    await waitFor(async () => (await tryOf(runId, 'a'))?.outcome, { what: 'its end' });
    expect(await logOf(runId, 'a')).toContain(' o before\n');
    await checkRuns(database);
  });

  it('loses a task by its lease, hears so, and kills it', async () => {
    const worker = startWorker('leased');
    await worker.sees(/the worker takes tasks/);
    const pids = join(home, 'leased.pid');
    const runId = await trigger('leased', [{ taskId: 'a', kind: 'bash', command: `echo $$ > ${pids}; sleep 600` }]);
    const pid = await waitFor(() => Number(readFileSync(pids, 'utf8')), { what: 'the task' });
    await line.cut();
    await database.pool.query(`update task_lease set renewed_until = now() - interval '1 second'`);
    await database.pool.query(`update task_instance set deadline_at = now() - interval '1 second' where run_id = $1`, [
      runId,
    ]);
    expect(await engine.expireLeases()).toBe(1);
    expect(isAlive(pid)).toBe(true);
    await line.mend();
    await waitFor(() => !isAlive(pid), { what: 'the task’s process to go', timeoutMs: 60_000 });
    expect(await tryOf(runId, 'a')).toMatchObject({ outcome: 'failed', cause: 'lease_expired' });
    await checkRuns(database);
  });
});
