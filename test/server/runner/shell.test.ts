import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isAlive } from '../../helpers/processes.ts';
import { startRunner } from '../../helpers/runner.ts';
import { waitFor } from '../../helpers/wait-for.ts';

const MIB = 1024 * 1024;

describe('shell tasks', () => {
  let runner: ReturnType<typeof startRunner>;
  beforeAll(() => {
    runner = startRunner();
  });
  afterAll(() => runner.stop());

  it('gives the last line of output as its result, in a folder of its own', async () => {
    const { report, lines } = await runner.run({
      kind: 'bash',
      command: 'pwd; touch left-behind; echo "$GREETING {{ ds }}"; echo',
      env: { GREETING: 'on' },
    });
    expect(report).toMatchObject({
      outcome: 'success',
      cause: 'ok',
      exitCode: 0,
      xcoms: { return_value: 'on 2026-01-02' },
    });
    const folder = lines[0]?.slice(2) ?? '';
    expect(folder.startsWith(join(runner.home, 'work'))).toBe(true);
    await waitFor(() => !existsSync(folder), { what: `${folder} to be removed` });
  });

  it('gets inputs and its names as variables, and nothing of the worker', async () => {
    const { lines } = await runner.run(
      {
        kind: 'bash',
        command: 'env',
        inputs: {
          ROWS: { task: 'clean', key: 'return_value' },
          NAME: { task: 'clean', key: 'name' },
          NONE: { task: 'x', key: 'y' },
        },
      },
      {
        xcoms: [
          { taskId: 'clean', mapIndex: -1, key: 'return_value', value: [1, { a: 2 }] },
          { taskId: 'clean', mapIndex: -1, key: 'name', value: 'é' },
        ],
      },
    );
    const env = Object.fromEntries(lines.map((line) => line.slice(2).split(/=(.*)/s).slice(0, 2)));
    expect(env).toMatchObject({
      ROWS: '[1,{"a":2}]',
      NAME: 'é',
      NONE: '',
      MILLRACE_TASK_ID: 'task',
      HOME: runner.home,
    });
    expect(lines.join('\n')).not.toContain('secret-token');
    expect(lines.filter((line) => /VITEST|NODE_/.test(line))).toEqual([]);
  });

  it.each([
    ['exit 3', { outcome: 'failed', cause: 'exit_code', exitCode: 3 }],
    ['echo why >&2; exit 1', { outcome: 'failed', cause: 'exit_code', message: 'Exit code 1: why' }],
    ['exit 99', { outcome: 'skipped', cause: 'skipped_by_task' }],
    ['kill -SEGV $$', { outcome: 'failed', cause: 'exit_code', exitCode: 139, evidence: { signal: 'SIGSEGV' } }],
    ['kill -9 $$', { outcome: 'failed', cause: 'exit_code', exitCode: 137, evidence: { signal: 'SIGKILL' } }],
    ['echo {{ nope }}', { outcome: 'failed', cause: 'template_error', retryable: false }],
    [`: ${'x'.repeat(200_000)}`, { outcome: 'failed', cause: 'start_failed', retryable: false }],
  ])('%.30s', async (command, expected) => {
    expect((await runner.run({ kind: 'bash', command })).report).toMatchObject(expected);
  });

  it('says started before it finishes, once', async () => {
    const { report } = await runner.run({ kind: 'bash', command: 'true' });
    const types = runner.events.flatMap((event) =>
      event.type === 'started' && event.dispatchId === report.dispatchId
        ? ['started']
        : event.type === 'finished' && event.report.dispatchId === report.dispatchId
          ? ['finished']
          : [],
    );
    expect(types).toEqual(['started', 'finished']);
  });

  it('delivers a burst of 100,000 lines complete and in order, and its bytes add up', async () => {
    const { report, chunks, lines } = await runner.run({ kind: 'bash', command: 'seq 100000; echo end >&2' });
    expect(lines.filter((line) => line.startsWith('o ')).map((line) => Number(line.slice(2)))).toEqual(
      Array.from({ length: 100_000 }, (_, index) => index + 1),
    );
    let offset = 0;
    for (const chunk of chunks) {
      expect(chunk.offset).toBe(offset);
      expect(chunk.body.endsWith('\n')).toBe(true);
      offset += Buffer.byteLength(chunk.body);
    }
    expect(report.logBytes).toBe(offset);
  });

  it('shows output while the task runs', async () => {
    const id = runner.start({ kind: 'bash', command: 'echo now; sleep 60' });
    const before = performance.now();
    await waitFor(() => runner.linesOf(id).includes('o now'), { what: 'the first line' });
    expect(performance.now() - before).toBeLessThan(2_000);
    runner.client.cancel(id, 'cancelled');
    await runner.finished(id);
  });

  it('kills all of the group at the time limit, also what ignores SIGTERM or has left the group', async () => {
    const command = `trap '' TERM; (trap '' TERM; sleep 61 & echo $!; wait) & setsid sleep 62 & echo $!; wait; sleep 63`;
    const { report, lines } = await runner.run({ kind: 'bash', command, executionTimeout: 0.3 });
    expect(report).toMatchObject({
      outcome: 'failed',
      cause: 'timeout',
      message: 'Ran longer than its time limit of 0.3 s.',
    });
    const pids = lines.filter((line) => /^o \d+$/.test(line)).map((line) => Number(line.slice(2)));
    expect(pids.length).toBe(2);
    for (const pid of pids) await waitFor(() => !isAlive(pid), { what: `process ${pid} to die` });
    expect(lines).toContain('s The time limit is reached: the task is being stopped.');
  });

  it('is cancelled with a chance to clean up', async () => {
    const id = runner.start({ kind: 'bash', command: `trap 'echo cleaned; exit 0' TERM; echo ready; sleep 60 & wait` });
    await waitFor(() => runner.linesOf(id).includes('o ready'));
    runner.client.cancel(id, 'cancelled');
    const { report, lines } = await runner.finished(id);
    expect(report).toMatchObject({ outcome: 'failed', cause: 'cancelled', retryable: false });
    expect(lines).toContain('o cleaned');
  });

  it('leaves no process behind when its leader ends', async () => {
    const { lines, report } = await runner.run({ kind: 'bash', command: 'sleep 64 & echo $!' });
    expect(report.outcome).toBe('success');
    const pid = Number(lines[0]?.slice(2));
    await waitFor(() => !isAlive(pid), { what: `process ${pid} to die` });
  });

  it('is killed above its memory limit, with what was seen', async () => {
    const { report } = await runner.run({
      kind: 'bash',
      command: `${process.execPath} -e "const a=[]; setInterval(() => a.push(Buffer.alloc(20e6, 1)), 20)"`,
      memoryLimit: 150 * MIB,
    });
    expect(report).toMatchObject({ outcome: 'failed', cause: 'oom_killed' });
    expect(report.evidence?.['peakMemory']).toBeGreaterThan(150 * MIB);
    expect(report.evidence?.['memoryLimit']).toBe(150 * MIB);
  });

  it('leaves no work folders', async () => {
    const [work = ''] = readdirSync(join(runner.home, 'work'));
    await waitFor(() => readdirSync(join(runner.home, 'work', work)).length === 0, { what: 'an empty work folder' });
  });
});

describe('output limit', () => {
  it('stops the task and keeps memory flat', async () => {
    const runner = startRunner({ outputLimit: 4 * MIB });
    try {
      const { report, lines } = await runner.run({ kind: 'bash', command: 'yes' });
      expect(report).toMatchObject({ outcome: 'failed', cause: 'output_limit' });
      expect(report.logBytes).toBeLessThan(4.1 * MIB);
      expect(lines.at(-1)).toContain('limit of 4 MiB');
      const noEnd = await runner.run({ kind: 'bash', command: `head -c 1000000000 /dev/zero | tr '\\0' x` });
      expect(noEnd.report).toMatchObject({ outcome: 'failed', cause: 'output_limit' });
      const status = readFileSync(`/proc/${runner.client.pid()}/status`, 'utf8');
      expect(Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1])).toBeLessThan(250 * 1024);
    } finally {
      await runner.stop();
    }
  });
});

describe('a worker that cannot take output', () => {
  it('makes tasks wait, and gets all of it later', async () => {
    const runner = startRunner();
    try {
      const flood = runner.start({ kind: 'bash', command: 'echo first; seq 1000000; echo done >&2' });
      await waitFor(() => runner.linesOf(flood).length > 0);
      runner.client.setPaused(true);
      const seen = runner.events.length;
      const memory = () =>
        Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${runner.client.pid()}/status`, 'utf8'))?.[1]);
      const read = () => Number(/rchar: (\d+)/.exec(readFileSync(`/proc/${runner.client.pid()}/io`, 'utf8'))?.[1]);
      let last = -1;
      await waitFor(
        async () => {
          const before = last;
          last = read();
          await new Promise((done) => setTimeout(done, 300));
          return before > 0 && last === before;
        },
        { what: 'the supervisor to stop reading' },
      );
      expect(memory()).toBeLessThan(300 * 1024);
      expect(runner.events.length - seen).toBeLessThan(400);
      runner.client.setPaused(false);
      const { report, lines } = await runner.finished(flood, 30_000);
      expect(report.outcome).toBe('success');
      expect(lines.length).toBe(1_000_002);
    } finally {
      await runner.stop();
    }
  });
});
