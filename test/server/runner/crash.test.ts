import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createRequire } from 'node:module';
import { afterEach, describe, expect, it } from 'vitest';
import { isAlive } from '../../helpers/processes.ts';
import { startRunner } from '../../helpers/runner.ts';
import { waitFor } from '../../helpers/wait-for.ts';
import { BUSY_NAMES, startBusyTasks } from './busy-tasks.ts';

const pidsIn = (dir: string): Promise<number[]> =>
  waitFor(
    () => {
      const pids = BUSY_NAMES.map((name) => Number(readFileSync(join(dir, 'pids', name), 'utf8')));
      return pids.every((pid) => pid > 0) ? pids : null;
    },
    { what: 'the process ids of four tasks' },
  );
const allDead = async (pids: number[]) => {
  for (const pid of pids) await waitFor(() => !isAlive(pid), { what: `process ${pid} to die` });
};

describe('kill -9', () => {
  const cleanups: (() => unknown)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0)) await cleanup();
  });

  it('of the supervisor: its tasks are named, their processes are dead, the next task runs', async () => {
    const runner = startRunner();
    cleanups.push(() => runner.stop());
    const ids = startBusyTasks(runner.home, runner);
    const pids = await pidsIn(runner.home);
    process.kill(runner.client.pid() ?? 0, 'SIGKILL');
    const lost = await waitFor(() => runner.events.find((event) => event.type === 'supervisor_lost'));
    expect(lost).toMatchObject({ dispatchIds: ids });
    await allDead(pids);
    expect(runner.client.running()).toEqual([]);
    expect((await runner.run({ kind: 'bash', command: 'echo again' })).lines).toEqual(['o again']);
  });

  it.each(['the worker', 'worker and supervisor'])('of %s: no process is left', async (victim) => {
    const dir = mkdtempSync(join(tmpdir(), 'millrace-crash-'));
    cleanups.push(() => rmSync(dir, { recursive: true, force: true }));
    const helpers = (name: string) => pathToFileURL(join(import.meta.dirname, name)).href;
    const file = join(dir, 'worker.mts');
    writeFileSync(
      file,
      `const { startBusyTasks } = await import(${JSON.stringify(helpers('busy-tasks.ts'))});
       const { startRunner } = await import(${JSON.stringify(helpers('../../helpers/runner.ts'))});
       const runner = startRunner();
       startBusyTasks(${JSON.stringify(dir)}, runner);
       console.log(runner.client.pid());`,
    );
    const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
    const worker = spawn(process.execPath, ['--import', tsx, file], {
      stdio: ['ignore', 'pipe', 'inherit'],
      cwd: join(import.meta.dirname, '../../..'),
    });
    cleanups.push(() => worker.kill('SIGKILL'));
    const supervisor = await new Promise<number>((resolve) =>
      worker.stdout.once('data', (data) => resolve(Number(data))),
    );
    const pids = await pidsIn(dir);
    expect(pids.filter(isAlive)).toEqual(pids);
    if (victim !== 'the worker') process.kill(supervisor, 'SIGKILL');
    worker.kill('SIGKILL');
    await allDead([...pids, supervisor]);
  });

  it('of a worker: the next one in the same folder removes what it left', async () => {
    const runner = startRunner();
    cleanups.push(() => runner.stop());
    const left = join(runner.home, 'work', '4194303-00000000-0000-4000-8000-000000000000');
    mkdirSync(join(left, 'task-x'), { recursive: true });
    process.kill(runner.client.pid() ?? 0, 'SIGKILL');
    await waitFor(() => runner.client.pid() === undefined);
    await runner.run({ kind: 'bash', command: 'true' });
    await waitFor(() => !existsSync(left), {
      what: `${readdirSync(join(runner.home, 'work')).join()} without the folder`,
    });
  });
});

describe('a supervisor that lives and does nothing', () => {
  it('is killed with all that it runs, and its tasks are named', async () => {
    const runner = startRunner({ pingMs: 1_000 });
    try {
      const ids = startBusyTasks(runner.home, runner);
      const pids = await pidsIn(runner.home);
      const pid = runner.client.pid() ?? 0;
      process.kill(pid, 'SIGSTOP');
      const lost = await waitFor(() => runner.events.find((event) => event.type === 'supervisor_lost'));
      expect(lost).toEqual({
        type: 'supervisor_lost',
        dispatchIds: ids,
        why: 'The supervisor process that ran it did not answer for 30 s and was killed.',
      });
      await allDead([pid, ...pids]);
      expect((await runner.run({ kind: 'bash', command: 'echo again' })).lines).toEqual(['o again']);
    } finally {
      await runner.stop();
    }
  });
});

describe('draining', () => {
  it('lets tasks finish, interrupts those that take longer, and takes no more', async () => {
    const runner = startRunner();
    try {
      const quick = runner.start({ kind: 'bash', command: 'sleep 0.3; echo done' });
      const slow = runner.start({ kind: 'bash', command: 'sleep 67' });
      await runner.started(quick);
      await runner.started(slow);
      const drained = runner.client.drain(800);
      const late = await runner.run({ kind: 'bash', command: 'echo never' });
      expect(late.report).toMatchObject({ outcome: 'released', cause: 'interrupted', logBytes: 0 });
      await drained;
      expect((await runner.finished(quick)).report).toMatchObject({
        outcome: 'success',
        xcoms: { return_value: 'done' },
      });
      expect((await runner.finished(slow)).report).toMatchObject({ outcome: 'failed', cause: 'interrupted' });
      expect(runner.client.running()).toEqual([]);
    } finally {
      await runner.stop();
    }
  });

  it('reports what runs when the worker stops', async () => {
    const runner = startRunner();
    const id = runner.start({ kind: 'python', source: 'import time; time.sleep(68)' });
    await runner.started(id);
    await runner.stop();
    expect((await runner.finished(id)).report).toMatchObject({ outcome: 'failed', cause: 'interrupted' });
    expect(runner.client.pid()).toBeUndefined();
  });

  it('cancels what has not begun, and answers for a bundle that cannot be had', async () => {
    const runner = startRunner({ fetchBundleDir: () => new Promise(() => undefined) });
    const broken = startRunner({ fetchBundleDir: () => Promise.reject(new Error('404')) });
    try {
      const waiting = runner.start({ kind: 'bash' }, { bundleHash: 'a' });
      const failing = broken.start({ kind: 'bash' }, { bundleHash: 'a' });
      runner.client.cancel(waiting, 'cancelled');
      expect((await runner.finished(waiting)).report).toMatchObject({ outcome: 'failed', cause: 'cancelled' });
      expect((await broken.finished(failing)).report).toMatchObject({ outcome: 'failed', cause: 'bundle_unavailable' });
    } finally {
      await Promise.all([runner.stop(), broken.stop()]);
    }
  });
});
