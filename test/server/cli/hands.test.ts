import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli, startCli, type RunningCli } from '../../helpers/cli.ts';
import { waitFor } from '../../helpers/wait-for.ts';

const root = mkdtempSync(join(tmpdir(), 'millrace-hands-'));
// As root PostgreSQL runs as another user, who must be able to pass.
chmodSync(root, 0o755);
const dags = join(root, 'dags');
const env = { MILLRACE_HOME: join(root, 'home'), MILLRACE_DAGS: dags, MILLRACE_PORT: '0', MILLRACE_WORKER_SLOTS: '4' };
const millrace = (...args: string[]) => runCli(args, env);
let service: RunningCli;

beforeAll(async () => {
  mkdirSync(dags, { recursive: true });
  writeFileSync(
    join(dags, 'all.yaml'),
    `dagId: sales
tasks:
  - { taskId: extract, kind: bash, command: 'true' }
  - { taskId: load, kind: bash, command: 'exit 3', upstream: extract }
  - { taskId: report, kind: bash, command: 'true', upstream: load }
---
dagId: sleeps
tasks: [{ taskId: nap, kind: bash, command: sleep 600 }]
`,
  );
  service = startCli(['start'], env);
  await service.sees(/DAG file loaded/, 60_000);
}, 90_000);
afterAll(async () => {
  await service.kill('SIGINT');
  rmSync(root, { recursive: true, force: true });
});

describe('the commands of a person’s hands', { timeout: 90_000 }, () => {
  it('pause and unpause change DAGs, each that is named, and say which do not exist', async () => {
    expect(await millrace('pause', 'sales', 'sleeps')).toMatchObject({
      code: 0,
      stdout: 'sales paused\nsleeps paused\n',
    });
    const listed = JSON.parse((await millrace('dags', '--json')).stdout) as { dagId: string; paused: boolean }[];
    expect(listed.map(({ dagId, paused }) => [dagId, paused])).toEqual([
      ['sales', true],
      ['sleeps', true],
    ]);
    const mixed = await millrace('unpause', 'nowhere', 'sales', 'sleeps', '--json');
    expect(mixed).toMatchObject({ code: 1, stderr: expect.stringMatching(/nowhere[^]*1 of 3 DAGs/) });
    expect(JSON.parse(mixed.stdout)).toMatchObject([
      { dagId: 'sales', paused: false },
      { dagId: 'sleeps', paused: false },
    ]);
    expect(await millrace('pause', 'nowhere')).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^.*nowhere.*\n$/),
    });
  });

  it('cancel ends a run; one that has ended is refused with the reason', async () => {
    const run = (await millrace('trigger', 'sleeps')).stdout.trim();
    expect(await millrace('cancel', run)).toMatchObject({ code: 0, stdout: `${run} cancelled\n` });
    expect(await millrace('cancel', run)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('already finished'),
    });
    expect(await millrace('cancel', '999999')).toMatchObject({ code: 1, stderr: expect.stringContaining('999999') });
  });

  it('clear shows first and then does it; mark lets the run go on', async () => {
    const ended = await millrace('trigger', 'sales', '--wait', '--json');
    expect(ended.code).toBe(2);
    const { runId } = JSON.parse(ended.stdout) as { runId: string };

    const preview = await millrace('clear', runId, '--task', 'load', '--downstream', '--dry-run');
    expect(preview).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/2 tasks of run \d+ would be cleared; nothing was changed/),
    });
    expect(preview.stdout.split('\n').map((line) => line.split(/ +/)[0])).toEqual(['TASK', 'load', 'report', '']);

    const onlyFailed = await millrace('clear', runId, '--only-failed', '--dry-run', '--json');
    const { taskInstances } = JSON.parse(onlyFailed.stdout) as { taskInstances: { taskId: string }[] };
    expect(taskInstances.map((task) => task.taskId)).toEqual(['load', 'report']);

    expect(await millrace('clear', runId, '--only-failed')).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/2 tasks cleared; run \d+ is/),
    });
    await waitFor(async () => (await stateOf(runId)) === 'FAILED', {
      timeoutMs: 30_000,
      what: 'the run to fail again',
    });
    const marked = await millrace('mark', runId, 'success', '--task', 'load');
    expect(marked).toMatchObject({ code: 0, stderr: expect.stringContaining('1 task marked success') });
    await waitFor(async () => (await stateOf(runId)) === 'FAILED' || (await stateOf(runId)) === 'SUCCESS', {
      what: 'the run to end',
    });
    expect((await millrace('clear', runId, '--task', 'report')).code).toBe(0);
    await waitFor(async () => (await stateOf(runId)) === 'SUCCESS', { timeoutMs: 30_000, what: 'the run to succeed' });
  });

  it('what is wrong with a call is said with what there is', async () => {
    const run = (JSON.parse((await millrace('runs', 'sales', '--json')).stdout) as { runId: string }[])[0]!.runId;
    expect(await millrace('clear', run, '--task', 'laod')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('"laod"'),
    });
    expect(await millrace('mark', run, 'done', '--task', 'load')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/success, failed, skipped/),
    });
    expect(await millrace('mark', run, 'success')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('--task'),
    });
    expect(await millrace('triger', 'sales')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Did you mean trigger?'),
    });
  });

  it('next shows when a DAG runs', async () => {
    const file = join(root, 'nightly.yaml');
    writeFileSync(
      file,
      `dagId: nightly\nschedule: '@yearly'\nstartDate: '2100-01-01'\ndataIntervals: true\ntasks: [{ taskId: a, kind: empty }]\n`,
    );
    expect(await millrace('deploy', file)).toMatchObject({ code: 0 });
    const [first, second, ...others] = JSON.parse((await millrace('next', 'nightly', '-n', '2', '--json')).stdout);
    expect(others).toEqual([]);
    expect([first.logicalDate, first.runAt, second.logicalDate]).toEqual(
      [2100, 2101, 2101].map((year) => `${year}-01-01T00:00:00.000Z`),
    );
    expect((await millrace('next', 'nightly', '-n', '1')).stdout).toMatch(/^RUNS AT +LOGICAL DATE[^]*2100-01-01T00/);
    expect(await millrace('next', 'sales')).toMatchObject({
      code: 0,
      stdout: '',
      stderr: 'No run of "sales" is foreseen: its schedule is none (UTC).\n',
    });
    expect(await millrace('next', 'nowhere')).toMatchObject({
      code: 1,
      stderr: 'There is no DAG "nowhere"; "millrace dags" lists them.\n',
    });
  });
});

async function stateOf(runId: string): Promise<string | undefined> {
  const runs = JSON.parse((await millrace('runs', 'sales', '--json')).stdout) as { runId: string; state: string }[];
  return runs.find((run) => run.runId === runId)?.state;
}
