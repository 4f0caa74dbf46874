import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli, startCli } from '../../helpers/cli.ts';
import { waitFor } from '../../helpers/wait-for.ts';

const root = mkdtempSync(join(tmpdir(), 'millrace-test-command-'));
// As root PostgreSQL runs as another user, who must be able to pass.
chmodSync(root, 0o755);
const env = { MILLRACE_HOME: join(root, 'home'), TMPDIR: root };
const test = (...args: string[]) => runCli(['test', ...args], env);
const file = (name: string) => join(root, name);
const leftBehind = () => readdirSync(root).filter((name) => name.startsWith('millrace-trial-'));
const processes = () => execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' });

beforeAll(() => {
  writeFileSync(
    file('sales.ts'),
    `import { dag } from 'millrace';
     export default dag('sales', { schedule: '@daily', start: '2026-01-01', retries: 2, retryDelay: '1s' }, ({ task, bash }) => {
       const extract = task('extract', () => ({ rows: 2 }));
       const load = task('load', { extract }, ({ extract, ctx }) => {
         console.log('loading', extract?.rows);
         if (ctx.ti.tryNumber < ctx.ti.maxTries) throw new Error('not yet');
         return extract?.rows;
       });
       const check = bash('check', { inputs: { ROWS: load }, command: 'echo "$ROWS rows of {{ ds }} for {{ params.who }}"; exit $((ROWS == 13))' });
       bash('never', { after: check, command: 'true' });
     });
     export const other = dag('other', {}, ({ bash }) => { bash('b', { command: 'true' }); });`,
  );
  writeFileSync(
    file('sleeps.yaml'),
    'dagId: sleeps\ntasks:\n  - { taskId: nap, kind: bash, command: "echo asleep; sleep 600" }\n',
  );
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const withoutTimes = (text: string) =>
  text
    .replace(/^\d\d:\d\d:\d\d /gm, '')
    .replace(/in \d+\.\d s/, 'in a moment')
    .trimEnd()
    .split('\n');

describe('millrace test', { timeout: 90_000 }, () => {
  it('runs a DAG with no service and tells every change, every line and the outcome', async () => {
    const ended = await test(file('sales.ts'), '--dag', 'sales', '--date', '2026-03-01', '--conf', '{"who": "you"}');
    expect(ended).toMatchObject({ code: 0 });
    expect(withoutTimes(ended.stdout).filter((line) => !line.endsWith(' queued'))).toEqual([
      'extract running',
      'extract success',
      'load running',
      'load | loading 2',
      'load success',
      'check running',
      'check | 2 rows of 2026-03-01 for you',
      'check success',
      'never running',
      'never success',
      'sales success in a moment: 4 success',
    ]);
    expect(leftBehind()).toEqual([]);
  });

  it('one task alone takes the results that it is given; a failure is told with its cause, and the exit status is 2', async () => {
    const args = [
      '--dag',
      'sales',
      '--task',
      'check',
      '--input',
      'ROWS=13',
      '--conf',
      '{"who": "me"}',
      '--date',
      '2026-03-01',
    ];
    const ended = await test(file('sales.ts'), ...args);
    expect(ended).toMatchObject({ code: 2, stderr: '' });
    expect(withoutTimes(ended.stdout).filter((line) => !line.endsWith(' queued'))).toEqual([
      'check running',
      'check | 13 rows of 2026-03-01 for me',
      'check | Exit code 1.',
      'check failed (exit_code)',
      'sales failed in a moment: 1 failed',
      '✗ check: exit_code 1',
      '    Exit code 1.',
      'Their retries were left out, --try-all makes them: check',
    ]);
  });

  it('an input that nobody gave is null, and that is said', async () => {
    const ended = await test(file('sales.ts'), '--dag', 'sales', '--task', 'load');
    expect(ended).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('The input "extract" is null: give it with --input extract=<json>.'),
      stdout: expect.stringContaining('load | loading undefined'),
    });
  });

  it('makes all tries with --try-all, and speaks JSON line by line', async () => {
    const ended = await test(file('sales.ts'), '--dag', 'sales', '--task', 'load', '--upstream', '--try-all', '--json');
    expect(ended).toMatchObject({ code: 0 });
    const lines = ended.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { [key: string]: unknown });
    const states = lines
      .filter((line) => line['type'] === 'task' && line['taskId'] === 'load')
      .map((line) => line['state']);
    expect(states.filter((state) => state === 'RUNNING')).toHaveLength(3);
    expect(states).toContain('UP_FOR_RETRY');
    expect(lines.at(-1)).toMatchObject({
      type: 'run',
      dagId: 'sales',
      state: 'SUCCESS',
      counts: { success: 2 },
      failures: [],
    });
  });

  it('gives tasks the variables and connections of files, and no secret to the log', async () => {
    writeFileSync(
      file('values.yaml'),
      'dagId: values\ntasks:\n  - { taskId: show, kind: bash, command: "echo {{ var.value.region }} {{ conn.mart.host }} {{ conn.mart.password }}" }\n',
    );
    writeFileSync(file('variables.json'), '{ "region": "north" }');
    writeFileSync(file('connections.yaml'), 'mart: postgres://reader:s3cr3t-word@mart.example/sales\n');
    const args = ['--variables', file('variables.json'), '--connections', file('connections.yaml')];
    const ended = await test(file('values.yaml'), ...args);
    expect(ended).toMatchObject({ code: 0, stdout: expect.stringContaining('show | north mart.example ***') });
    expect(ended.stdout).not.toContain('s3cr3t-word');
    writeFileSync(file('connections.yaml'), 'mart: { kind: postgress }\n');
    expect(await test(file('values.yaml'), ...args)).toMatchObject({ code: 1, stderr: expect.stringMatching(/mart/) });
  });

  it('runs mapped tasks and tasks of pools that only the service knows, and notifies nobody', async () => {
    writeFileSync(
      file('mapped.yaml'),
      `dagId: mapped
notify: [{ on: failure, to: { connection: nowhere } }]
tasks:
  - taskId: each
    kind: bash
    pool: warehouse
    command: '[ "$N" != 2 ]'
    map: { over: { kind: product, axes: { N: { kind: literal, items: [1, 2, 3] } } } }
  - { taskId: last, kind: empty, upstream: each, triggerRule: all_done }
`,
    );
    const ended = await test(file('mapped.yaml'));
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(ended.stdout).toMatch(/mapped success in \S+ s: 3 success, 1 failed\n✗ each\[1\]: exit_code 1\n/);
  });

  it('hands large results from task to task, and takes them as inputs', async () => {
    writeFileSync(
      file('large.ts'),
      `import { dag } from 'millrace';
       export default dag('large', {}, ({ task, bash }) => {
         const make = task('make', () => Array.from({ length: 20000 }, (_, n) => ({ n, text: 'x'.repeat(50) })));
         const count = task('count', { make }, ({ make }) => console.log('rows:', make?.length, make?.at(-1)?.n));
         bash('read', { inputs: { ROWS: make }, command: 'echo "bytes: $(wc -c < "$ROWS_FILE")"', after: count });
       });`,
    );
    const ended = await test(file('large.ts'));
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(ended.stdout).toContain('count | rows: 20000 19999');
    expect(ended.stdout).toContain('read | bytes: 1428891');
    const rows = JSON.stringify(Array.from({ length: 50_000 }, () => 1));
    const alone = await test(file('large.ts'), '--task', 'count', '--input', `make=${rows}`);
    expect(alone).toMatchObject({ code: 0, stdout: expect.stringContaining('count | rows: 50000 undefined') });
  });

  it('runs what waits: sensors, runs that it starts, approvals that are decided with the call', async () => {
    writeFileSync(
      file('waits.yaml'),
      `dagId: waits
tasks:
  - { taskId: gate, kind: sensor, for: { time: '2020-01-01T00:00:00Z' } }
  - { taskId: newest, kind: latest_only, upstream: gate }
  - { taskId: child, kind: trigger_dag, dagId: helper, upstream: newest, wait: true }
  - { taskId: ship, kind: approval, subject: 'Ship {{ ds }}?', options: [ship, drop], rejections: [drop], upstream: child,
      form: { type: object, properties: { percent: { type: integer, default: 10 } } } }
  - { taskId: go, kind: bash, command: 'echo {{ ti.xcom_pull("ship").form.percent }} percent', upstream: ship }
---
dagId: helper
tasks: [{ taskId: ask, kind: approval, subject: 'Help?' }, { taskId: help, kind: bash, command: 'true', upstream: ask }]
`,
    );
    const args = [file('waits.yaml'), '--dag', 'waits'];
    const ended = await test(
      ...args,
      '--decide',
      'ask=approve',
      '--decide',
      'ship=ship',
      '--form',
      'ship={"percent": 40}',
    );
    expect(ended).toMatchObject({ code: 0 });
    expect(ended.stdout).toMatch(/go \| 40 percent[^]*waits success in \S+ s: 5 success\n$/);

    const rejected = await test(...args, '--decide', 'ask=approve', '--decide', 'ship=drop');
    expect(rejected).toMatchObject({
      code: 2,
      stdout: expect.stringContaining("✗ ship: rejected\n    you chose 'drop'."),
    });

    const alone = await test(file('waits.yaml'), '--dag', 'helper');
    expect(alone).toMatchObject({
      code: 2,
      stdout: expect.stringMatching(
        /ask: wait_timeout\n +Nobody is here to decide: give --decide ask=<option>, one of approve, reject/,
      ),
    });
    for (const [given, why] of [
      [['--decide', 'shp=ship'], "Did you mean 'ship'"],
      [['--decide', 'ship=shipp'], 'They are ship, drop.'],
      [['--decide', 'ship=ship', '--form', 'ship={"percent": "x"}'], 'percent'],
      [['--form', 'ship={}'], '--decide ship=<option>'],
    ] as const)
      expect(await test(...args, ...given)).toMatchObject({
        code: 1,
        stdout: '',
        stderr: expect.stringContaining(why),
      });
  });

  it('covers the data that a run of its schedule would cover at that date', async () => {
    writeFileSync(
      file('interval.yaml'),
      `dagId: interval
schedule: '@daily'
dataIntervals: true
tasks: [{ taskId: say, kind: bash, command: 'echo {{ data_interval_start }} to {{ data_interval_end }}' }]
`,
    );
    const ended = await test(file('interval.yaml'), '--date', '2026-03-05T12:00:00Z');
    expect(ended).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/2026-03-04T?[ 0:.+Z]* to 2026-03-05T?[ 0:.+Z]*/),
    });
  });

  it('an approval that nobody can be asked about takes its default when its time is over, and that is said', async () => {
    writeFileSync(
      file('default.yaml'),
      "dagId: default\ntasks: [{ taskId: ask, kind: approval, subject: 'Go?', timeout: 2s, default: approve }]\n",
    );
    expect(await test(file('default.yaml'))).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/"ask" takes "approve" at \S+, as nobody is here to decide/),
    });
  });

  it('says what is wrong with the call before anything runs', async () => {
    expect(await test(file('sales.ts'))).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/choose one with --dag.*sales, other/),
    });
    expect(await test(file('sleeps.yaml'), '--date', 'soon')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/--date soon: not a date/),
    });
    expect(await test(file('nothing.yaml'))).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/no file or folder/),
    });
    expect(await test(file('sleeps.yaml'), '--conf', '[]')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/JSON object/),
    });
    expect(leftBehind()).toEqual([]);
  });

  it('Ctrl-C leaves no process and no folder', async () => {
    const running = startCli(['test', file('sleeps.yaml')], env);
    await running.sees(/nap \| asleep/);
    const ended = await running.kill('SIGINT');
    expect(ended).toMatchObject({ signal: 'SIGINT', stderr: expect.stringContaining('Stopped') });
    expect(leftBehind()).toEqual([]);
    expect(processes()).not.toContain(root);
  });

  it('Ctrl-C while it starts leaves nothing either', async () => {
    const running = startCli(['test', file('sleeps.yaml')], env);
    await waitFor(() => leftBehind().length > 0, { what: 'its folder' });
    expect(await running.kill('SIGINT')).toMatchObject({ signal: 'SIGINT' });
    expect(leftBehind()).toEqual([]);
    await waitFor(() => !processes().includes(root), { what: 'every process to end' });
  });

  it('what a killed one left behind goes with the next', async () => {
    const running = startCli(['test', file('sleeps.yaml')], env);
    await running.sees(/nap \| asleep/);
    await running.kill('SIGKILL');
    expect(leftBehind()).toHaveLength(1);
    expect((await test(file('sales.ts'), '--dag', 'other')).code).toBe(0);
    expect(leftBehind()).toEqual([]);
    await waitFor(() => !processes().includes(root), { what: 'every process to end' });
  });
});
