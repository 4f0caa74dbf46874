/** kill -9 of each piece in mid-run: every run finishes, no outcome is accepted twice, nothing runs twice in one try. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { createDatabase, type Database } from '../../db/client.ts';
import { checkRuns } from '../helpers/check-runs.ts';
import { startCli } from '../helpers/cli.ts';
import { isAlive } from '../helpers/processes.ts';
import { createService } from '../helpers/service.ts';
import { waitFor } from '../helpers/wait-for.ts';
import { causesOf, startWorkload, type Workload } from '../helpers/workload.ts';

/** All has ended well, and the events, the rows and what the tasks wrote down by themselves tell the same. */
async function expectAllWell(database: Database, workload: Workload): Promise<Record<string, number>> {
  const records = await checkRuns(database, { finished: true });
  expect(new Set(records.map(({ run }) => run.state))).toEqual(new Set(['success']));
  const starts = workload.starts();
  expect(starts.filter((line, i) => starts.indexOf(line) !== i)).toEqual([]);
  const tries = records.flatMap(({ tries }) => tries);
  expect(starts.length).toBeLessThanOrEqual(tries.length);
  // Nobody succeeds without having run
  expect(tries.filter((one) => one.cause === 'ok' || one.cause === 'exit_code').length).toBeLessThanOrEqual(
    starts.length,
  );
  return causesOf(records);
}

it('roles apart: the death of each loses nothing', { timeout: 150_000 }, async () => {
  const service = await createService();
  onTestFinished(() => service.stop());
  const workload = await startWorkload(service.database, { runs: 8, lines: 8 });
  onTestFinished(() => workload.remove());
  await service.start('server');
  await Promise.all([service.start('scheduler'), service.start('worker-a'), service.start('worker-b')]);
  await workload.progress(10);
  for (const piece of ['server', 'worker-a', 'scheduler', 'worker-b'] as const) {
    await service.kill(piece);
    await service.start(piece);
    await workload.progress(10);
  }
  await service.crashBackend();
  await workload.progress(10);
  await service.crashPostgres();
  await workload.allEnded(80_000).catch((cause: unknown) => {
    throw new Error(`Not all ended. What the processes said last:\n${service.output().slice(-8000)}`, { cause });
  });
  const causes = await expectAllWell(service.database(), workload);
  expect(causes).toMatchObject({ ok: 320 });
  // A try is lost only with the worker that ran it: eight slots, and as many that an answer lost shortly before was to fill
  expect(causes['worker_lost'] ?? 0).toBeLessThanOrEqual(32);
  expect(Object.keys(causes).filter((cause) => !['ok', 'exit_code', 'worker_lost'].includes(cause))).toEqual([]);
});

it(
  'all in one process: the next start goes on where it was killed, with PostgreSQL or without',
  { timeout: 120_000 },
  async () => {
    const home = mkdtempSync(join(tmpdir(), 'millrace-crash-'));
    chmodSync(home, 0o755);
    mkdirSync(join(home, 'dags'));
    const env = {
      MILLRACE_HOME: home,
      MILLRACE_PORT: '0',
      MILLRACE_WORKER_SLOTS: '8',
      MILLRACE_SHUTDOWN_SECONDS: '1',
      MILLRACE_DAGS: join(home, 'dags'),
    };
    let database: Database | undefined;
    const start = async () => {
      const cli = startCli(['start'], env);
      await cli.sees(/ready: (\S+)/, 60_000);
      await database?.close();
      database = createDatabase(urlOf(home), { onIdleError: () => undefined });
      return cli;
    };
    let cli = await start();
    onTestFinished(async () => {
      await database?.close();
      await cli.kill('SIGINT');
      rmSync(home, { recursive: true, force: true });
    });
    const workload = await startWorkload(() => database!, { runs: 6, lines: 6 });
    onTestFinished(() => workload.remove());
    await workload.progress(20);
    await cli.kill('SIGKILL');
    cli = await start();
    await workload.progress(20);
    const { pid } = postmasterOf(home);
    process.kill(pid, 'SIGKILL');
    await cli.kill('SIGKILL');
    await waitFor(() => !isAlive(pid), { what: 'the postmaster to die' });
    cli = await start();
    await workload.allEnded(60_000);
    const causes = await expectAllWell(database!, workload);
    expect(causes).toMatchObject({ ok: 180 });
    expect(causes['worker_lost'] ?? 0).toBeLessThanOrEqual(16);
  },
);

function postmasterOf(home: string): { pid: number; port: number } {
  const lines = readFileSync(join(home, 'postgres/cluster/postmaster.pid'), 'utf8').split('\n');
  return { pid: Number(lines[0]), port: Number(lines[3]) };
}

function urlOf(home: string): string {
  const password = readFileSync(join(home, 'postgres/password'), 'utf8').trim();
  return `postgres://millrace:${password}@127.0.0.1:${postmasterOf(home).port}/postgres`;
}
