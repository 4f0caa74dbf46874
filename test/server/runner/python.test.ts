import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { isAlive } from '../../helpers/processes.ts';
import { startRunner, type DispatchExtras } from '../../helpers/runner.ts';
import { waitFor } from '../../helpers/wait-for.ts';

const MIB = 1024 * 1024;

describe('python tasks', () => {
  let runner: ReturnType<typeof startRunner>;
  beforeAll(() => {
    runner = startRunner({ resultLimit: MIB });
  });
  afterAll(() => runner.stop());
  const source = (text: string, extras?: DispatchExtras) => runner.run({ kind: 'python', source: text }, extras);

  it('calls a function of a file with arguments, inputs and context names', async () => {
    const bundleHash = runner.bundle({
      'tasks/etl.py':
        'import near\ndef clean(rows, region, ds, ti, **rest):\n    print("rows", len(rows), ti.task_id)\n    return {"n": len(rows), "region": region, "ds": ds, "near": near.VALUE, "more": "dag_run" in rest}\n',
      'tasks/near.py': 'VALUE = 7\n',
    });
    const { report, lines } = await runner.run(
      {
        kind: 'python',
        callable: 'tasks/etl.py:clean',
        args: { region: '{{ params.region }}' },
        inputs: { rows: { task: 'extract', key: 'return_value' } },
      },
      {
        bundleHash,
        run: { params: { region: 'eu' } },
        xcoms: [{ taskId: 'extract', mapIndex: -1, key: 'return_value', value: [1, 2, 3] }],
      },
    );
    expect(report).toMatchObject({ outcome: 'success', cause: 'ok' });
    expect(report.xcoms).toEqual({ return_value: { n: 3, region: 'eu', ds: '2026-01-02', near: 7, more: true } });
    expect(lines).toEqual(['o rows 3 task']);
  });

  it('says more of the assets that it updates, of its outlets alone, and sees what its run was made for', async () => {
    const emit = (text: string) => runner.run({ kind: 'python', source: text, outlets: ['orders', 'prices'] });
    const said = await emit(
      'def main(assets):\n  assets.emit("orders", {"rows": 1})\n  assets.emit("orders", {"rows": 2})\n  assets.emit("prices")',
    );
    expect(said.report.xcoms).toEqual({ 'millrace.assets': { orders: { rows: 2 }, prices: {} } });
    const strange = await emit('def main(assets):\n  assets.emit("other")');
    expect(strange.report).toMatchObject({
      outcome: 'failed',
      retryable: false,
      message: expect.stringContaining("no outlet 'other'"),
    });
    const large = await emit('def main(assets):\n  assets.emit("orders", {"text": "x" * 70000})');
    expect(large.report).toMatchObject({ outcome: 'failed', message: expect.stringContaining('at most 65536') });
    const text =
      'def main(triggering_asset_events):\n  [event] = triggering_asset_events["orders"]\n  return [event.extra, event.source_task_id, event.timestamp.year]';
    const source = { dagId: 'd', taskId: 'make', runKey: 'r', mapIndex: -1 };
    const event = { asset: 'orders', at: '2026-01-02T00:00:00.000Z', extra: { rows: 3 }, source };
    const seen = await runner.run({ kind: 'python', source: text }, { run: { assetEvents: [event] } });
    expect(seen.report.xcoms).toEqual({ return_value: [{ rows: 3 }, 'make', 2026] });
  });

  it('pulls and pushes XComs', async () => {
    const text =
      'def main(ti):\n  ti.xcom_push("k", {"a": [1, None]})\n  return [ti.xcom_pull("up"), ti.xcom_pull("up", key="no"), ti.xcom_pull(["up", "mapped"])]';
    const { report } = await source(text, {
      xcoms: [
        { taskId: 'up', mapIndex: -1, key: 'return_value', value: 'u' },
        { taskId: 'mapped', mapIndex: 1, key: 'return_value', value: 'b' },
        { taskId: 'mapped', mapIndex: 0, key: 'return_value', value: 'a' },
      ],
    });
    expect(report.xcoms).toEqual({ k: { a: [1, null] }, return_value: ['u', null, ['u', ['a', 'b']]] });
  });

  it.each([
    [
      '1/0',
      {
        outcome: 'failed',
        cause: 'exception',
        message: 'ZeroDivisionError: division by zero',
        evidence: { exception: 'ZeroDivisionError' },
      },
    ],
    [
      'import json\nclass Mine(json.JSONDecodeError): pass\nraise Mine("no", "", 0)',
      {
        evidence: { exceptions: ['Mine', 'json.decoder.JSONDecodeError', 'ValueError', 'Exception', 'BaseException'] },
      },
    ],
    [
      'import millrace\nraise millrace.Skip("no data")',
      { outcome: 'skipped', cause: 'skipped_by_task', message: 'no data' },
    ],
    ['import millrace\nraise millrace.Fail("for good")', { outcome: 'failed', cause: 'exception', retryable: false }],
    ['def main(): return {1, 2}', { outcome: 'failed', cause: 'result_invalid', retryable: false }],
    ['def main(): return float("nan")', { outcome: 'failed', cause: 'result_invalid' }],
    ['def main(): return "a\\0b"', { outcome: 'failed', cause: 'result_invalid' }],
    ['def main(): return "x" * 2_000_000', { outcome: 'failed', cause: 'result_invalid' }],
    ['import sys; sys.exit(4)', { outcome: 'failed', cause: 'exit_code', exitCode: 4 }],
    ['import sys; sys.exit()', { outcome: 'success' }],
    ['import os; os._exit(0)', { outcome: 'failed', cause: 'exit_code' }],
    ['def broken(:', { outcome: 'failed', cause: 'exception', evidence: { exception: 'SyntaxError' } }],
    ['import os; os.kill(os.getpid(), 11)', { outcome: 'failed', cause: 'exit_code', evidence: { signal: 'SIGSEGV' } }],
    ['print(params["a"], ds)', { outcome: 'success' }],
  ])('%j', async (text, expected) => {
    expect((await source(text, { run: { params: { a: 1 } } })).report).toMatchObject(expected);
  });

  it('puts the traceback of the own code into the log', async () => {
    const { lines } = await source('def inner():\n    raise ValueError("deep")\ndef main():\n    inner()\n');
    expect(lines[0]).toBe('e Traceback (most recent call last):');
    expect(lines.join('\n')).toContain('raise ValueError("deep")');
    expect(lines.join('\n')).not.toContain('run_task.py');
  });

  it('shares nothing between tasks', async () => {
    const dirty = await source(
      'import json, os, sys, builtins\njson.dumps = None\nbuiltins.print = None\nos.environ["DIRTY"] = "1"\nsys.modules["etl"] = 1\nos.chdir("/")',
    );
    expect(dirty.report.outcome).toBe('success');
    const { report } = await source(
      'import json, os, sys\ndef main():\n  print("x")\n  return [json.dumps(1), os.environ.get("DIRTY"), "etl" in sys.modules, os.getcwd() != "/"]',
    );
    expect(report.xcoms).toEqual({ return_value: ['1', null, false, true] });
  });

  it('takes the same module name from each bundle', async () => {
    const bundles = [1, 2].map((n) =>
      runner.bundle({ 'dag.py': 'import shared\ndef f(): return shared.N', 'shared.py': `N = ${n}` }),
    );
    const reports = await Promise.all(
      bundles.map((bundleHash) => runner.run({ kind: 'python', callable: 'dag.py:f' }, { bundleHash })),
    );
    expect(reports.map(({ report }) => report.xcoms)).toEqual([{ return_value: 1 }, { return_value: 2 }]);
  });

  it('forks within a few milliseconds', async () => {
    await source('def main(): pass');
    const took: number[] = [];
    for (let n = 0; n < 15; n += 1) {
      const started = performance.now();
      await source('def main(): pass');
      took.push(performance.now() - started);
    }
    // An interpreter's start alone is far above; the helper looks every 10 ms.
    expect(took.sort((a, b) => a - b)[7]).toBeLessThan(60);
  });

  it('is stopped with everything it has started', async () => {
    const id = runner.start({
      kind: 'python',
      executionTimeout: 0.5,
      source:
        'import subprocess, signal\nsignal.signal(15, signal.SIG_IGN)\np = subprocess.Popen(["sleep", "65"], start_new_session=True)\nprint(p.pid)\nwhile True: pass',
    });
    const { report, lines } = await runner.finished(id);
    expect(report).toMatchObject({ outcome: 'failed', cause: 'timeout' });
    const pid = Number(lines[0]?.slice(2));
    await waitFor(() => pid > 0 && !isAlive(pid), { what: `process ${pid} to die` });
  });

  it('goes on beside a busy task', async () => {
    const busy = runner.start({ kind: 'python', source: 'while True: pass' });
    await runner.started(busy);
    const started = performance.now();
    const { lines } = await source('print("beside")');
    expect(lines).toEqual(['o beside']);
    expect(performance.now() - started).toBeLessThan(2_000);
    runner.client.cancel(busy, 'cancelled');
    expect((await runner.finished(busy)).report.cause).toBe('cancelled');
  });

  it('does not get beyond its memory limit', async () => {
    const slow = 'import time\na = []\nwhile True:\n  a.append(bytearray(10_000_000))\n  time.sleep(0.02)';
    const [watched, atOnce] = await Promise.all([
      runner.run({ kind: 'python', source: slow, memoryLimit: 150 * MIB }),
      runner.run({ kind: 'python', source: 'x = bytearray(3_000_000_000)', memoryLimit: 150 * MIB }),
    ]);
    for (const { report } of [watched, atOnce])
      expect(report).toMatchObject({ outcome: 'failed', cause: 'oom_killed' });
  });

  it('keeps many tasks that begin and end at once apart', async () => {
    let left = 1_000;
    const wrong: unknown[] = [];
    const lane = async () => {
      for (let n = left--; n > 0; n = left--) {
        const { report, lines } = await source(`print(${n})\ndef main(): return ${n}`);
        if (report.xcoms?.['return_value'] !== n || lines.join() !== `o ${n}`) wrong.push([n, report, lines]);
      }
    };
    await Promise.all(Array.from({ length: 8 }, lane));
    expect(wrong).toEqual([]);
  });

  it('survives the death of its fork server', async () => {
    const { report } = await source(
      'import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\nimport time; time.sleep(60)',
    );
    expect(report).toMatchObject({ outcome: 'failed', cause: 'interrupted' });
    expect(report.message).toContain('fork server ended unexpectedly');
    expect((await source('print(1)')).report.outcome).toBe('success');
  });
});

describe('between a fork and the word that it started', () => {
  /** The fork server does `python` there; `pid` is the fork's. */
  function startPatched(python: string) {
    const home = mkdtempSync(join(tmpdir(), 'millrace-python-'));
    const patched = `import os, signal, sys, time
sys.path.insert(0, os.path.dirname(sys.argv[1]))
import fork_server
def send(self, kind, task_id, body=b"", send=fork_server.ForkServer.send):
    if kind == b"S":
        pid = int(body)
        ${python}
    send(self, kind, task_id, body)
fork_server.ForkServer.send = send
fork_server.main()
`;
    const command = join(home, 'python');
    writeFileSync(join(home, 'patched.py'), patched);
    writeFileSync(command, `#!/bin/sh\nexec python3 -B -u -X utf8 '${home}/patched.py' "$4"\n`, { mode: 0o755 });
    const runner = startRunner({ pythonCommand: command });
    onTestFinished(async () => {
      await runner.stop();
      rmSync(home, { recursive: true, force: true });
    });
    return { ...runner, home };
  }

  it('no code of the task runs', async () => {
    const runner = startPatched('time.sleep(0.5)');
    const source = 'import os, signal\nos.kill(os.getppid(), signal.SIGKILL)';
    const { report } = await runner.run({ kind: 'python', source });
    expect(report).toMatchObject({ outcome: 'failed', cause: 'interrupted' });
  });

  it('the death of the fork server is one before the start, and the fork goes', async () => {
    const runner = startPatched('open(__file__ + ".pid", "w").write(str(pid)); os.kill(os.getpid(), signal.SIGKILL)');
    const witness = join(runner.home, 'witness');
    const { report } = await runner.run({ kind: 'python', source: `open(${JSON.stringify(witness)}, "w")` });
    expect(report).toMatchObject({ outcome: 'failed', cause: 'start_failed' });
    const pid = Number(readFileSync(join(runner.home, 'patched.py.pid'), 'utf8'));
    await waitFor(() => !isAlive(pid), { what: `process ${pid} to end` });
    expect(existsSync(witness)).toBe(false);
  });
});

it('says that the interpreter is missing', async () => {
  const runner = startRunner({ pythonCommand: 'python-of-nowhere' });
  try {
    const { report } = await runner.run({ kind: 'python', source: 'print(1)' });
    expect(report).toMatchObject({ outcome: 'failed', cause: 'interpreter_missing', retryable: false });
    expect(report.message).toContain('python-of-nowhere');
  } finally {
    await runner.stop();
  }
});
