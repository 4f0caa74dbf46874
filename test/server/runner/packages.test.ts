/** Packages of Python tasks: a virtual environment per requirements.txt. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { SupervisorClientOptions } from '#server/runner/supervisor-client.ts';
import { startRunner } from '../../helpers/runner.ts';
import { waitFor } from '../../helpers/wait-for.ts';
import { writeWheel } from '../../helpers/wheels.ts';

/** Making an environment takes some seconds, more of them on a busy machine. */
const BUILD_MS = 120_000;
const USES_ALPHA = 'import alpha\ndef main():\n  return alpha.VALUE';
const INSTALLING = 's Installing the package of requirements.txt.';

describe('packages of python tasks', { timeout: 2 * BUILD_MS }, () => {
  let home: string;
  let wheels: string;
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'millrace-packages-'));
    wheels = join(home, 'wheels');
    writeWheel(wheels, 'alpha', 'of alpha');
    onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  });

  /** All runners of a test share the folder of environments. */
  const start = (options: Partial<SupervisorClientOptions> = {}, limit = 2 ** 40) => {
    const packages = { pipArgs: ['--no-index', '--find-links', wheels], limit };
    const runner = startRunner({ packages, ...options });
    onTestFinished(() => runner.stop());
    const bundle = (requirements: string | null, more: { [path: string]: string } = {}) =>
      runner.bundle({ ...(requirements !== null && { 'requirements.txt': requirements }), ...more });
    const begin = (source: string, bundleHash: string) => runner.start({ kind: 'python', source }, { bundleHash });
    return {
      ...runner,
      ...{ bundle, begin },
      ended: (dispatchId: string) => runner.finished(dispatchId, BUILD_MS),
      do: (source: string, bundleHash: string) => runner.finished(begin(source, bundleHash), BUILD_MS),
    };
  };
  const envsIn = (folder: string): string[] =>
    existsSync(join(folder, 'venvs'))
      ? readdirSync(join(folder, 'venvs')).filter((name) => /^[0-9a-f]{64}$/.test(name))
      : [];

  /** An interpreter that writes down how it is called; with a file `stop` beside it, it stops where an environment is half made. */
  const interpreter = () => {
    const command = join(home, 'python');
    const calls = join(home, 'calls');
    writeFileSync(
      command,
      `#!/bin/sh
echo "$*" >> '${calls}'
if [ "$2" = venv ] && [ -e '${home}/stop' ]; then mkdir "$3/bin"; touch "$3/bin/python" '${home}/stopped'; sleep 1000; fi
exec python3 "$@"
`,
      { mode: 0o755 },
    );
    return {
      command,
      builds: () => readFileSync(calls, 'utf8').match(/^-m venv /gm)?.length ?? 0,
      stop: () => writeFileSync(join(home, 'stop'), ''),
      stopped: () => waitFor(() => existsSync(join(home, 'stopped')), { what: 'half an environment' }),
      goOn: () => rmSync(join(home, 'stop')),
    };
  };

  it('are there for the code and for the commands that it calls, made once for all bundles that ask for the same', async () => {
    const python = interpreter();
    const runner = start({ pythonCommand: python.command });
    const source =
      'import subprocess, sys, os, alpha\ndef main():\n  said = subprocess.run(["say-alpha"], capture_output=True, text=True)\n  return [alpha.VALUE, said.stdout, said.stderr, sys.prefix, os.environ["VIRTUAL_ENV"]]';
    const bundle = runner.bundle('# ours\nalpha==1.0\n');
    const both = [runner.begin(source, bundle), runner.begin(source, bundle)];
    const [first, second] = [await runner.ended(both[0]!), await runner.ended(both[1]!)];
    const [hash] = envsIn(runner.home);
    const folder = join(runner.home, 'venvs', hash!);
    for (const { report, lines } of [first, second]) {
      expect(report, lines.join('\n')).toMatchObject({ outcome: 'success' });
      expect(report.xcoms).toEqual({ return_value: ['of alpha', 'of alpha\n', '', folder, folder] });
    }
    expect(first.lines[0]).toBe(INSTALLING);
    expect(first.lines.join('\n')).toContain('Successfully installed alpha-1.0');

    const other = await runner.do(USES_ALPHA, runner.bundle('# ours\nalpha==1.0\n', { 'data.csv': 'a' }));
    expect(other.report.xcoms).toEqual({ return_value: 'of alpha' });
    expect(other.lines).toEqual([]);
    expect(envsIn(runner.home)).toEqual([hash]);
    expect(python.builds()).toBe(1);
    // What is there for one is not there for all
    const plain = await runner.do(USES_ALPHA, runner.bundle(null, { 'data.csv': 'a' }));
    expect(plain.report).toMatchObject({ outcome: 'failed', cause: 'exception' });
    expect(plain.report.message).toContain("No module named 'alpha'");
  });

  it('fail the try when they cannot be installed, and are asked for again', async () => {
    const runner = start();
    const bundle = runner.bundle('beta==1.0\n');
    const source = 'import beta\ndef main():\n  return beta.VALUE';
    const failed = await runner.do(source, bundle);
    expect(failed.report).toMatchObject({ outcome: 'failed', cause: 'start_failed', retryable: true });
    expect(failed.report.message).toBe(
      'The packages of requirements.txt could not be installed: ERROR: No matching distribution found for beta==1.0',
    );
    expect(failed.lines.at(-1)).toBe(`s ${failed.report.message}`);
    expect(envsIn(runner.home)).toEqual([]);
    writeWheel(wheels, 'beta', 'of beta');
    const again = await runner.do(source, bundle);
    expect(again.report, again.lines.join('\n')).toMatchObject({ xcoms: { return_value: 'of beta' } });
  });

  it('are never half there: a build that was killed is made anew, and a task that is cancelled waits no longer', async () => {
    const python = interpreter();
    const runner = start({ pythonCommand: python.command });
    const bundle = runner.bundle('alpha\n');
    python.stop();
    const waiting = [runner.begin(USES_ALPHA, bundle), runner.begin(USES_ALPHA, bundle)];
    await python.stopped();
    runner.client.cancel(waiting[0]!, 'cancelled');
    expect((await runner.finished(waiting[0]!)).report).toMatchObject({ outcome: 'failed', cause: 'cancelled' });
    runner.client.cancel(waiting[1]!, 'timeout');
    expect((await runner.finished(waiting[1]!)).report).toMatchObject({ outcome: 'failed', cause: 'timeout' });
    const third = runner.begin(USES_ALPHA, bundle);
    await waitFor(() => runner.linesOf(third).length > 0, { what: 'the third task to wait' });
    expect(runner.linesOf(third)).toEqual(['s Waiting: another task is installing the package of requirements.txt.']);
    process.kill(runner.client.pid()!, 'SIGKILL');
    await waitFor(() => runner.events.some(({ type }) => type === 'supervisor_lost'), { what: 'the loss' });
    expect(envsIn(runner.home)).toEqual([]);

    python.goOn();
    const { report, lines } = await runner.do(USES_ALPHA, bundle);
    expect(report, lines.join('\n')).toMatchObject({ outcome: 'success' });
  });

  it('make room for others when nobody uses them', async () => {
    writeWheel(wheels, 'beta', 'of beta');
    const first = start({}, 1);
    const go = join(home, 'go');
    const source = `import os, time, alpha\nprint("here")\nwhile not os.path.exists(${JSON.stringify(go)}): time.sleep(0.02)\nimport importlib\nprint(importlib.reload(alpha).VALUE)`;
    const running = first.begin(source, first.bundle('alpha\n'));
    await waitFor(() => first.linesOf(running).includes('o here'), { what: 'the task to run', timeoutMs: BUILD_MS });
    const usesBeta = 'import beta\nprint(beta.VALUE)';
    const second = start(
      { home: first.home, fetchBundleDir: (hash) => Promise.resolve(join(first.home, 'bundles', hash)) },
      1,
    );
    expect((await second.do(usesBeta, first.bundle('beta\n'))).lines).toContain('o of beta');
    expect(envsIn(first.home)).toHaveLength(2);
    writeFileSync(go, '');
    expect((await first.ended(running)).lines.at(-1)).toBe('o of alpha');

    // What a process held that has ended is held no more
    await first.client.stop();
    const [third] = [await second.do(usesBeta, first.bundle('beta\n\n'))];
    expect(third.report).toMatchObject({ outcome: 'success' });
    await waitFor(() => envsIn(first.home).length === 2, { what: 'the first environment to go' });
  });

  it('say what an interpreter lacks that cannot make environments', async () => {
    const command = join(home, 'python');
    const text = `#!/bin/sh\nif [ "$2" = venv ]; then echo "$0: No module named venv" >&2; exit 1; fi\nexec python3 "$@"\n`;
    writeFileSync(command, text, { mode: 0o755 });
    const runner = start({ pythonCommand: command });
    const { report } = await runner.do(USES_ALPHA, runner.bundle('alpha\n'));
    expect(report).toMatchObject({ outcome: 'failed', cause: 'interpreter_missing', retryable: false });
    expect(report.message).toContain('python3-venv');
  });
});
