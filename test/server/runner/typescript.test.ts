import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isAlive } from '../../helpers/processes.ts';
import { startRunner, tsBundle, type DispatchExtras, type TaskInput } from '../../helpers/runner.ts';
import { waitFor } from '../../helpers/wait-for.ts';

const MIB = 1024 * 1024;
const HANDLERS = {
  noop: '() => 1',
  greet:
    'async ({ params, rows, ctx }) => { console.log("hello", params.who); process.stderr.write("bad\\n"); ctx.ti.xcomPush("k", [1]); return { n: rows.length, run: ctx.run.runKey }; }',
  throws: '() => { throw new TypeError("bad", { cause: new Error("root") }); }',
  skips: '() => { throw Object.assign(new Error("nothing to do"), { millrace: "skip" }); }',
  fails: '() => { throw Object.assign(new Error("for good"), { millrace: "fail" }); }',
  cyclic: '() => { const a = {}; a.a = a; return a; }',
  rather_large: '({ ctx }) => { ctx.ti.xcomPush("small", 1); return "x".repeat(200_000); }',
  length: '({ text }) => text.length',
  large: '() => "x".repeat(2_000_000)',
  exits: '() => process.exit(5)',
  uncaught: '() => new Promise(() => setTimeout(() => { throw new RangeError("later"); }, 1))',
  busy: '() => { console.log("busy"); for (;;); }',
  sleeps: '() => new Promise((done) => setTimeout(done, 60_000))',
  heeds:
    '({ ctx }) => new Promise((_, reject) => ctx.signal.addEventListener("abort", () => { console.log("cleaned"); reject(new Error("stopped")); }))',
  grows:
    'async () => { const all = []; for (;;) { all.push(Buffer.alloc(10_000_000, 1)); await new Promise((done) => setTimeout(done, 10)); } }',
  heap: '() => { const all = []; for (;;) all.push(new Array(1000).fill({ a: 1 }).map((x) => ({ ...x }))); }',
  pid: '() => process.pid',
  spawns:
    'async () => { const { spawn } = await import("node:child_process"); const child = spawn("sleep", ["66"], { stdio: "inherit" }); await new Promise((done) => child.once("spawn", done)); console.log(child.pid); }',
  inherits:
    'async () => { const { spawnSync } = await import("node:child_process"); spawnSync("echo", ["from a program"], { stdio: "inherit" }); }',
  environment:
    '({ ctx }) => ({ same: ctx.env.HOME === process.env.HOME, keys: Object.keys(process.env).sort(), dir: ctx.bundleDir })',
};

it('a child is replaced after so many tasks, so that what they leave in memory goes', async () => {
  const runner = startRunner({ childTasks: 3, maxNodeChildren: 1 });
  try {
    const bundleHash = runner.bundle(tsBundle(HANDLERS));
    const pids: unknown[] = [];
    for (let n = 0; n < 7; n += 1) {
      const { report } = await runner.run({ kind: 'typescript', taskId: 'pid' }, { bundleHash });
      pids.push(report.xcoms?.['return_value']);
    }
    expect([new Set(pids.slice(0, 3)).size, new Set(pids.slice(3, 6)).size]).toEqual([1, 1]);
    expect(new Set(pids).size).toBe(3);
  } finally {
    await runner.stop();
  }
});

it('a child that has grown is replaced when its task has ended', async () => {
  const runner = startRunner({ childMemory: 300 * MIB, maxNodeChildren: 1 });
  try {
    const leak = '() => { (globalThis.kept ??= []).push(Buffer.alloc(400 * 2 ** 20, 1)); return process.pid; }';
    const bundleHash = runner.bundle(tsBundle({ leak, pid: '() => process.pid' }));
    const leaky = await runner.run({ kind: 'typescript', taskId: 'leak' }, { bundleHash });
    const pid = leaky.report.xcoms?.['return_value'] as number;
    await waitFor(() => !isAlive(pid), { what: 'the process that has grown to go' });
    const after = await runner.run({ kind: 'typescript', taskId: 'pid' }, { bundleHash });
    expect(after.report).toMatchObject({
      outcome: 'success',
      xcoms: { return_value: expect.not.toSatisfy((n) => n === pid) },
    });
  } finally {
    await runner.stop();
  }
});

describe('TypeScript tasks', () => {
  let runner: ReturnType<typeof startRunner>;
  let bundleHash: string;
  let fetched = '';
  beforeAll(() => {
    runner = startRunner({ resultLimit: MIB, fetchArtifact: () => Promise.resolve(fetched) });
    bundleHash = runner.bundle(tsBundle(HANDLERS));
  });
  afterAll(() => runner.stop());
  const start = (taskId: keyof typeof HANDLERS, task: Partial<TaskInput> = {}, extras: DispatchExtras = {}) =>
    runner.start({ ...task, kind: 'typescript', taskId } as TaskInput, { bundleHash, ...extras });
  const run = (taskId: keyof typeof HANDLERS, task: Partial<TaskInput> = {}, extras: DispatchExtras = {}) =>
    runner.finished(start(taskId, task, extras));

  it('gives inputs, params and results, and logs what is printed', async () => {
    const { report, lines } = await runner.run(
      { kind: 'typescript', taskId: 'greet', inputs: { rows: { task: 'up', key: 'return_value' } } },
      {
        bundleHash,
        run: { params: { who: 'you' } },
        xcoms: [{ taskId: 'up', mapIndex: -1, key: 'return_value', value: [1, 2] }],
      },
    );
    expect(report).toMatchObject({
      outcome: 'success',
      cause: 'ok',
      xcoms: { return_value: { n: 2, run: 'manual__1' }, k: [1] },
    });
    expect(lines).toEqual(['o hello you', 'e bad']);
  });

  it.each([
    [
      'throws',
      {
        outcome: 'failed',
        cause: 'exception',
        message: 'TypeError: bad',
        evidence: { exception: 'TypeError', exceptions: ['TypeError', 'Error'] },
      },
    ],
    ['skips', { outcome: 'skipped', cause: 'skipped_by_task', message: 'nothing to do' }],
    ['fails', { outcome: 'failed', cause: 'exception', retryable: false }],
    ['cyclic', { outcome: 'failed', cause: 'result_invalid', retryable: false }],
    ['large', { outcome: 'failed', cause: 'result_invalid', retryable: false }],
    ['exits', { outcome: 'failed', cause: 'exit_code', exitCode: 5 }],
    ['uncaught', { outcome: 'failed', cause: 'exception', message: 'RangeError: later' }],
  ] as const)('%s', async (taskId, expected) => {
    expect((await run(taskId)).report).toMatchObject(expected);
  });

  it('leaves a large result in a file, and reads one from there', async () => {
    const { report, files } = await run('rather_large');
    expect(report).toMatchObject({ outcome: 'success', xcoms: { small: 1 } });
    const { path = '', bytes = 0, hash = '', preview } = files?.['return_value'] ?? {};
    expect([bytes, preview?.length]).toEqual([200_002, 1000]);
    fetched = path;
    const artifact = { bytes, hash };
    const xcoms = [{ taskId: 'up', mapIndex: -1, key: 'return_value', value: null, artifact }];
    const { report: reader } = await run(
      'length',
      { inputs: { text: { task: 'up', key: 'return_value' } } },
      { xcoms },
    );
    expect(reader.xcoms).toEqual({ return_value: 200_000 });
  });

  it('logs the stack with its causes and without frames of the runner', async () => {
    const { lines } = await run('throws');
    expect(lines[0]).toBe('e TypeError: bad');
    expect(lines.join('\n')).toContain('e Caused by: Error: root');
    expect(lines.join('\n')).not.toContain('run-task');
  });

  it('runs short tasks one after another in a warm process', async () => {
    const reports = await Promise.all(Array.from({ length: 300 }, () => run('pid')));
    const pids = new Set(reports.map(({ report }) => report.xcoms?.['return_value']));
    expect(reports.every(({ report }) => report.outcome === 'success')).toBe(true);
    expect(pids.size).toBeLessThan(8);
  });

  it('ends a busy task at its time limit, and short tasks go on beside it', async () => {
    await run('noop');
    const busy = start('busy', { executionTimeout: 1 });
    await runner.started(busy);
    const others = await Promise.all(Array.from({ length: 20 }, () => run('noop')));
    expect(others.every(({ report }) => report.outcome === 'success')).toBe(true);
    const { report, lines } = await runner.finished(busy);
    expect(report).toMatchObject({ outcome: 'failed', cause: 'timeout' });
    expect(lines[0]).toBe('o busy');
  });

  it('runs waiting tasks side by side', async () => {
    const ids = [start('sleeps'), start('sleeps'), start('sleeps')];
    for (const id of ids) await runner.started(id);
    for (const id of ids) runner.client.cancel(id, 'cancelled');
    for (const id of ids) expect((await runner.finished(id)).report.cause).toBe('cancelled');
  });

  it('gives a task that listens to its signal time to clean up', async () => {
    const id = start('heeds');
    await runner.started(id);
    runner.client.cancel(id, 'cancelled');
    const { report, lines } = await runner.finished(id);
    expect(report.cause).toBe('cancelled');
    expect(lines).toContain('o cleaned');
  });

  it.each(['grows', 'heap'] as const)('%s beyond its memory limit', async (taskId) => {
    const { report } = await run(taskId, { memoryLimit: 200 * MIB });
    expect(report).toMatchObject({ outcome: 'failed', cause: 'oom_killed' });
  });

  it('keeps what programs print, and no program that outlives its task', async () => {
    expect((await run('inherits')).lines).toEqual(['o from a program']);
    const { lines } = await run('spawns');
    const pid = Number(lines[0]?.slice(2));
    await waitFor(() => !isAlive(pid), { what: `process ${pid} to die` });
  });

  it('fails only the running task when a process dies, and runs none twice', async () => {
    const witness = join(runner.home, 'witness');
    const short = `({ params }) => { appendFileSync(${JSON.stringify(witness)}, params.n + "\\n"); if (params.n % 50 === 7) process.exit(1); return params.n; }`;
    const hash = runner.bundle(tsBundle({ short }, 'import { appendFileSync } from "node:fs";'));
    const one = (n: number) =>
      runner.start({ kind: 'typescript', taskId: 'short' }, { bundleHash: hash, run: { params: { n } } });
    await runner.finished(one(-1));
    const ids = Array.from({ length: 500 }, (_, n) => one(n));
    const reports = await Promise.all(ids.map((id) => runner.finished(id, 25_000)));
    const failed = reports.flatMap(({ report }, n) => (report.outcome === 'failed' ? [n] : []));
    expect(failed).toEqual([7, 57, 107, 157, 207, 257, 307, 357, 407, 457]);
    expect(reports.every(({ report }, n) => report.xcoms?.['return_value'] === n || report.exitCode === 1)).toBe(true);
    const seen = readFileSync(witness, 'utf8').trim().split('\n').map(Number);
    expect(seen.sort((a, b) => a - b)).toEqual([-1, ...ids.keys()]);
  });

  it('sees a clean environment', async () => {
    const { report } = await run('environment');
    expect(report.xcoms?.['return_value']).toMatchObject({
      same: true,
      keys: ['HOME', 'MILLRACE_BUNDLE_DIR', 'MILLRACE_SUPERVISOR', 'PATH'],
    });
  });

  it('says what is wrong with a bundle', async () => {
    const broken = runner.bundle(tsBundle({}, 'throw new Error("at load");'));
    const { report, lines } = await runner.run({ kind: 'typescript' }, { bundleHash: broken });
    expect(report).toMatchObject({ outcome: 'failed', message: 'The bundle could not be loaded: at load' });
    expect(lines[0]).toBe('e Error: at load');
    const dying = runner.bundle(tsBundle({ task: '() => 1' }, 'process.exit(9);'));
    expect((await runner.run({ kind: 'typescript' }, { bundleHash: dying })).report.cause).toBe('start_failed');
    const later = runner.bundle(tsBundle({ task: '() => 1' }, 'setImmediate(() => process.exit(9));'));
    expect((await runner.run({ kind: 'typescript' }, { bundleHash: later })).report.outcome).toBe('failed');
    expect((await runner.run({ kind: 'typescript' })).report).toMatchObject({
      cause: 'bundle_unavailable',
      retryable: false,
    });
  });
});
