/** Backfills, what is done to many runs, and what people do with versions and notes. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli, startCli, type RunningCli } from '../../helpers/cli.ts';
import { waitFor } from '../../helpers/wait-for.ts';

const root = mkdtempSync(join(tmpdir(), 'millrace-many-runs-'));
// As root PostgreSQL runs as another user, who must be able to pass.
chmodSync(root, 0o755);
const dags = join(root, 'dags');
const env = { MILLRACE_HOME: join(root, 'home'), MILLRACE_DAGS: dags, MILLRACE_PORT: '0', MILLRACE_WORKER_SLOTS: '4' };
const millrace = (...args: string[]) => runCli(args, env);
let service: RunningCli;

const DAILY = `dagId: daily
schedule: '@daily'
startDate: '2026-01-01'
timezone: Europe/Berlin
tasks:
  - { taskId: load, kind: bash, command: '[ "{{ ds }}" != "2026-03-02" ]' }
  - { taskId: report, kind: empty, upstream: load }
`;

beforeAll(async () => {
  mkdirSync(dags, { recursive: true });
  writeFileSync(
    join(dags, 'all.yaml'),
    `${DAILY}---
dagId: sleeps
tasks: [{ taskId: nap, kind: bash, command: sleep 600 }]
---
dagId: asks
tasks: [{ taskId: ask, kind: approval, subject: 'Ship {{ conf.version }}?' }, { taskId: ship, kind: empty, upstream: ask }]
---
dagId: asks_many
tasks: [{ taskId: ask, kind: approval, subject: 'Go?', map: { over: { N: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], M: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11] } } }]
---
dagId: mapped
tasks: [{ taskId: each, kind: bash, command: '[ "$N" != 2 ]', map: { over: { kind: product, axes: { N: { kind: literal, items: [1, 2, 3] } } } } }]
`,
  );
  service = startCli(['start'], env);
  await service.sees(/DAG file loaded/, 60_000);
}, 90_000);
afterAll(async () => {
  await service.kill('SIGINT');
  rmSync(root, { recursive: true, force: true });
});

interface Run {
  runId: string;
  state: string;
  kind: string;
}
const runsOf = async (dagId: string) => JSON.parse((await millrace('runs', dagId, '--json')).stdout) as Run[];
const RANGE = ['--from', '2026-03-01', '--to', '2026-03-03'];

describe('backfills', { timeout: 120_000 }, () => {
  it('are shown before they are made, run to their end with progress, and tell by the exit status how it went', async () => {
    const plan = await millrace('backfill', 'create', 'daily', ...RANGE, '--dry-run');
    expect(plan).toMatchObject({ code: 0, stderr: '3 of 3 dates to run\nNothing was changed.\n' });
    expect(plan.stdout.split('\n').map((line) => line.split(/ {2,}/).slice(0, 2))).toEqual([
      ['DATE', 'PLAN'],
      ['2026-02-28T23:00:00Z', 'run'],
      ['2026-03-01T23:00:00Z', 'run'],
      ['2026-03-02T23:00:00Z', 'run'],
      [''],
    ]);
    expect((await runsOf('daily')).filter(({ kind }) => kind === 'BACKFILL')).toEqual([]);

    const made = await millrace('backfill', 'create', 'daily', ...RANGE, '--note', 'March', '--wait');
    expect(made).toMatchObject({
      code: 2,
      stdout: '1 completed\n',
      stderr: expect.stringMatching(/3 of 3 dates to run\nBackfill 1\n[^]*3 of 3 done: 2 success, 1 failed\n$/),
    });
    const shown = await millrace('backfill', 'show', '1');
    expect(shown.stderr).toMatch(/Backfill 1 of daily, completed: 3 of 3 done: 2 success, 1 failed\n[^]*: March\n$/);
    expect(shown.stdout).toMatch(/2026-03-02T23:00:00Z +failed +\d+/);
    expect((await millrace('backfill', 'list', '--dag', 'daily')).stdout).toMatch(/^BACKFILL[^]*\n1 +daily +completed/);

    const again = await millrace(
      'backfill',
      'create',
      'daily',
      ...RANGE,
      '--reprocess',
      'failed',
      '--dry-run',
      '--json',
    );
    const { dates } = JSON.parse(again.stdout) as { dates: { decision: string }[] };
    expect(dates.map(({ decision }) => decision)).toEqual(['EXISTS', 'EXISTS', 'RERUN']);
  });

  it('are paused, resumed and cancelled; of a paused DAG it is said that the runs wait', async () => {
    await millrace('pause', 'daily');
    const made = await millrace('backfill', 'create', 'daily', '--from', '2026-05-01', '--to', '2026-05-03');
    expect(made).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('"daily" is paused: "millrace unpause daily"'),
    });
    const id = made.stdout.trim();
    expect(await millrace('backfill', 'pause', id)).toMatchObject({ code: 0, stdout: `${id} paused\n` });
    expect(await millrace('backfill', 'resume', id)).toMatchObject({ code: 0, stdout: `${id} running\n` });
    expect(await millrace('backfill', 'cancel', id)).toMatchObject({ code: 0, stdout: `${id} cancelled\n` });
    expect(await millrace('backfill', 'resume', id)).toMatchObject({ code: 1, stderr: `Backfill ${id} has ended.\n` });
    await millrace('unpause', 'daily');
  });

  it('that make no sense are refused with the reason', async () => {
    const create = (...args: string[]) => millrace('backfill', 'create', ...args);
    for (const [args, why] of [
      [['daily', '--from', 'March', '--to', '2026-03-03'], '--from March: not a date.'],
      [['daily', '--from', '2026-03-03', '--to', '2026-03-01'], 'input.to: lies before "from"'],
      [['sleeps', ...RANGE], 'has no schedule'],
      [['nowhere', ...RANGE], 'There is no DAG "nowhere"'],
    ] as const)
      expect(await create(...args)).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining(why) });
    expect(await millrace('backfill', 'show', '999')).toMatchObject({
      code: 1,
      stderr: 'There is no backfill "999"; "millrace backfill list" lists them.\n',
    });
  });
});

describe('many runs', { timeout: 120_000 }, () => {
  it('are cleared at once, after a look at which they are', async () => {
    const select = ['clear', 'daily', '--state', 'failed', '--only-failed'];
    const preview = await millrace(...select, '--dry-run');
    expect(preview).toMatchObject({ code: 0, stderr: '1 run would be cleared; nothing was changed.\n' });
    expect(preview.stdout).toMatch(/^RUN +KEY +STATE +DATE\n\d+ .* failed +2026-03-02T23:00:00Z\n$/);
    expect(await millrace(...select)).toMatchObject({
      code: 0,
      stdout: '1 of 1 runs cleared\n',
      stderr: expect.stringMatching(/^Job \d+ over 1 run; [^]*1 of 1 runs: 1 done\n$/),
    });
    expect((await millrace('jobs', 'list')).stdout).toMatch(/^JOB[^]*\n\d+ +clear +completed +1 of 1 runs: 1 done/);
    const jobs = JSON.parse((await millrace('jobs', 'list', '--json')).stdout) as { jobId: string }[];
    expect(await millrace('jobs', 'cancel', jobs[0]!.jobId)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('has ended'),
    });
  });

  it('are marked, and those that refuse are told', async () => {
    const { code, stdout } = await millrace(
      ...['mark', 'daily', 'skipped', '--task', 'nothing', '--from', '2026-03-01', '--to', '2026-03-02', '--json'],
    );
    expect(code).toBe(2);
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    expect(lines).toContainEqual({ refused: expect.any(String), message: expect.stringContaining('no such task') });
  });

  it('are cancelled', async () => {
    await millrace('trigger', 'sleeps');
    await millrace('trigger', 'sleeps');
    expect(await millrace('cancel', '--dag', 'sleeps', '--state', 'queued', '--state', 'running')).toMatchObject({
      code: 0,
      stdout: '2 of 2 runs cancelled\n',
    });
    expect((await runsOf('sleeps')).map(({ state }) => state)).toEqual(['CANCELLED', 'CANCELLED']);
  });

  it('need to be said which', async () => {
    for (const [args, why] of [
      [['clear', 'daily'], 'say which'],
      [['cancel'], 'Give either'],
      [['cancel', '1', '--state', 'running'], 'give --dag'],
      [['clear', 'daily', '--state', 'broken'], 'RunState'],
      [['clear', 'nowhere', '--state', 'failed'], 'There is no DAG "nowhere"'],
    ] as const)
      expect(await millrace(...args)).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining(why) });
  });
});

describe('one run', { timeout: 120_000 }, () => {
  it('has instances of mapped tasks that are cleared and marked one by one', async () => {
    const ended = await millrace('trigger', 'mapped', '--wait', '--json');
    expect(ended.code).toBe(2);
    const { runId } = JSON.parse(ended.stdout) as Run;
    const cleared = await millrace('clear', runId, '--task', 'each', '--map-index', '1', '--dry-run');
    expect(cleared.stdout).toMatch(/^TASK +STATE +TRIES\neach\[1\] +failed +1\n$/);
    const marked = await millrace('mark', runId, 'success', '--task', 'each', '--map-index', '1');
    expect(marked).toMatchObject({ code: 0, stderr: expect.stringMatching(/^1 task marked success/) });
    expect(await millrace('note', runId, 'each[1]', 'the second is known')).toMatchObject({
      code: 0,
      stdout: `noted beside each[1] of run ${runId}\n`,
    });
  });

  it('is run again with its version or the newest, has a note, and versions are compared', async () => {
    expect(await millrace('diff', 'daily')).toMatchObject({ code: 0, stderr: '"daily" has one version only.\n' });
    const newer = DAILY.replace('kind: empty', 'kind: bash, command: "true"').replace('@daily', '@hourly');
    const file = join(root, 'newer.yaml');
    writeFileSync(file, `${newer}  - { taskId: mail, kind: empty, upstream: report }\n`);
    expect((await millrace('deploy', file)).code).toBe(0);
    const { stdout } = await millrace('diff', 'daily', 'v1', '2');
    expect(stdout).toMatch(/^daily: version 1 → 2\n\nSettings\n {2}schedule:\n {4}- .*@daily.*\n {4}\+ .*@hourly/);
    expect(stdout).toMatch(/\nTasks\n {2}~ report\n(?: {6}.*\n)*? {6}kind: "empty" → "bash"\n/);
    expect(stdout).toMatch(/\n {2}\+ mail\n\nOrder\n {2}\+ report → mail\n$/);
    expect(await millrace('diff', 'daily', '1', '9')).toMatchObject({
      code: 1,
      stderr: 'DAG "daily" has no version 9.\n',
    });

    const [first] = (await runsOf('daily')).slice(-1);
    const same = await millrace('rerun', first!.runId, '--follow');
    expect(same).toMatchObject({ code: 0, stdout: expect.stringMatching(/report success\n\d+ success\n$/) });
    const latest = await millrace('rerun', first!.runId, '--latest', '--follow');
    expect(latest).toMatchObject({ code: 0, stdout: expect.stringMatching(/mail success\n\d+ success\n$/) });

    const { runId } = first!;
    expect(await millrace('note', runId, 'was *late*')).toMatchObject({ stdout: `noted beside run ${runId}\n` });
    expect(JSON.parse((await millrace('note', runId, 'was late', '--json')).stdout)).toMatchObject({
      note: { text: 'was late' },
    });
    expect(await millrace('note', runId, '')).toMatchObject({ stdout: `run ${runId} has no note any more\n` });
    expect(await millrace('note', runId, 'was', 'very', 'late')).toMatchObject({ code: 1 });
    expect(await millrace('note', runId, 'laod', 'x')).toMatchObject({
      code: 1,
      stderr: `Run ${runId} has no task "laod".\n`,
    });
  });
});

describe('approvals', { timeout: 60_000 }, () => {
  it('are listed while they wait, and decided once', async () => {
    expect(await millrace('approvals')).toMatchObject({ stderr: 'Nothing waits for a decision.\n' });
    const { runId } = JSON.parse((await millrace('trigger', 'asks', '--conf', '{"version": "1.2"}', '--json')).stdout);
    await waitFor(async () => (await millrace('approvals', '--json')).stdout.includes('Ship 1.2?'), {
      what: 'the approval',
      timeoutMs: 20_000,
    });
    expect((await millrace('approvals', '--mine')).stdout).toMatch(
      new RegExp(`${runId} +ask +asks +.* approve, reject +Ship 1.2\\?`),
    );
    expect(await millrace('decide', runId, 'ask', 'perhaps')).toMatchObject({ code: 1 });
    expect(await millrace('decide', runId, 'ask', 'approve', '--note', 'fine')).toMatchObject({
      code: 0,
      stdout: `ask of run ${runId}: approve\n`,
    });
    expect(await millrace('decide', runId, 'ask', 'reject')).toMatchObject({ code: 1 });
  });

  it('are listed all, however many there are, and each instance is decided by its index', async () => {
    const { runId } = JSON.parse((await millrace('trigger', 'asks_many', '--json')).stdout);
    const listed = async () => JSON.parse((await millrace('approvals', '--json')).stdout) as unknown[];
    await waitFor(async () => (await listed()).length === 110, { what: 'all approvals', timeoutMs: 30_000 });
    expect(await millrace('decide', runId, 'ask[109]', 'approve')).toMatchObject({ code: 0 });
    expect(await listed()).toHaveLength(109);
    expect(await millrace('cancel', runId)).toMatchObject({ code: 0 });
  });
});
