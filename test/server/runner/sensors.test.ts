import { spawnSync } from 'node:child_process';
import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRunner, tsBundle } from '../../helpers/runner.ts';
import { waitFor } from '../../helpers/wait-for.ts';

const LOOKS = {
  third:
    '() => { globalThis.n = (globalThis.n ?? 0) + 1; return globalThis.n >= 3 && { millraceDone: 1, value: { looks: globalThis.n } }; }',
  never: '() => false',
  plain: '() => true',
  throws: '() => { throw new TypeError("no way"); }',
  skips: '() => { throw Object.assign(new Error("not today"), { millrace: "skip" }); }',
  flaky:
    '() => { globalThis.m = (globalThis.m ?? 0) + 1; if (globalThis.m < 3) throw new Error("try again"); return true; }',
};

describe('sensors that a worker looks for', () => {
  let runner: ReturnType<typeof startRunner>;
  let bundleHash: string;
  beforeAll(() => {
    runner = startRunner();
    bundleHash = runner.bundle(tsBundle(LOOKS));
  });
  afterAll(() => runner.stop());
  const look = (taskId: keyof typeof LOOKS, more: object = {}) =>
    runner.run({ kind: 'sensor', taskId, for: { typescript: true }, ...more }, { bundleHash });

  it('asks a TypeScript function until it is done, and keeps what it found', async () => {
    const { report } = await look('third');
    expect(report).toMatchObject({ outcome: 'success', cause: 'ok', xcoms: { return_value: { looks: 3 } } });
  });

  it('takes true for done, without a result', async () => {
    const { report } = await look('plain');
    expect(report).toMatchObject({ outcome: 'success' });
    expect(report.xcoms ?? {}).toEqual({});
  });

  it('gives the worker back between the looks in mode reschedule', async () => {
    const { report } = await look('never', { mode: 'reschedule', pokeInterval: 30 });
    expect(report).toMatchObject({ outcome: 'rescheduled', cause: 'ok', afterSeconds: 30 });
  });

  it('fails for good when its time is over', async () => {
    const { report } = await look('never', { timeout: 0.2 });
    expect(report).toMatchObject({ outcome: 'failed', cause: 'wait_timeout', retryable: false });
  });

  it('is skipped when its time is over and failures are soft', async () => {
    expect((await look('never', { timeout: 0.2, softFail: true })).report).toMatchObject({
      outcome: 'skipped',
      cause: 'wait_timeout',
    });
  });

  it('fails by an exception as any task, with its stack', async () => {
    const { report } = await look('throws');
    expect(report).toMatchObject({ outcome: 'failed', cause: 'exception', message: 'TypeError: no way' });
  });

  it.each([
    ['of soft failures', { softFail: true }],
    ['where failing looks skip', { pokeError: 'skip' }],
  ])('is skipped by an exception %s', async (_, more) => {
    expect((await look('throws', more)).report).toMatchObject({ outcome: 'skipped', cause: 'poke_failed' });
  });

  it('looks on over exceptions where they are to be ignored, and tells of them in the log', async () => {
    const { report, lines } = await look('flaky', { pokeError: 'ignore' });
    expect(report).toMatchObject({ outcome: 'success' });
    expect(lines.filter((line) => line.includes('Error: try again'))).toHaveLength(2);
  });

  it('can skip itself', async () => {
    expect((await look('skips')).report).toMatchObject({ outcome: 'skipped', cause: 'skipped_by_task' });
  });

  it('waits for files by pattern, and says which they are', async () => {
    const id = runner.start({
      kind: 'sensor',
      for: { file: { path: join(runner.home, '*.csv'), minBytes: 2, unchangedFor: 0 } },
    });
    await waitFor(() => runner.linesOf(id).some((line) => line.includes('no such file')), { what: 'a first look' });
    writeFileSync(join(runner.home, 'in.csv'), 'a,b');
    const { report } = await runner.finished(id);
    expect(report).toMatchObject({ outcome: 'success', xcoms: { return_value: [join(runner.home, 'in.csv')] } });
  });

  it('fails where it cannot look for a file, instead of waiting for ever', async () => {
    const loop = join(runner.home, 'loop');
    symlinkSync(loop, loop);
    for (const path of [loop, join(loop, '*.csv')]) {
      const { report } = await runner.run({ kind: 'sensor', for: { file: { path, minBytes: 0, unchangedFor: 0 } } });
      expect(report).toMatchObject({ outcome: 'failed', cause: 'poke_failed' });
      expect(report.message).toContain('ELOOP');
    }
  });

  it('can be stopped while it waits', async () => {
    const id = runner.start({
      kind: 'sensor',
      for: { file: { path: '/nowhere/*.csv', minBytes: 0, unchangedFor: 0 } },
      pokeInterval: 60,
    });
    await runner.started(id);
    runner.client.cancel(id, 'cancelled');
    expect((await runner.finished(id)).report).toMatchObject({ outcome: 'failed', cause: 'cancelled' });
  });

  describe.runIf(spawnSync('python3', ['--version']).status === 0)('in Python', () => {
    const python = (source: string, more: object = {}) =>
      runner.run({ kind: 'sensor', for: { python: { callable: null, source, args: {} } }, ...more });

    it('asks a function until it is done', async () => {
      const source =
        'from millrace import PokeResult\nimport os\ndef main():\n  open("n", "a").write("x")\n  return PokeResult(os.path.getsize("n") >= 3, {"looks": os.path.getsize("n")})';
      expect((await python(source)).report).toMatchObject({
        outcome: 'success',
        xcoms: { return_value: { looks: 3 } },
      });
    });

    it('gives the worker back in mode reschedule', async () => {
      const { report } = await python('def main(): return False', { mode: 'reschedule', pokeInterval: 9 });
      expect(report).toMatchObject({ outcome: 'rescheduled', afterSeconds: 9 });
    });

    it('knows its timeout, soft failures and failing looks', async () => {
      expect((await python('def main(): return None', { timeout: 0.2 })).report).toMatchObject({
        outcome: 'failed',
        cause: 'wait_timeout',
        retryable: false,
      });
      expect((await python('def main(): 1/0', { softFail: true })).report).toMatchObject({
        outcome: 'skipped',
        cause: 'poke_failed',
      });
      expect((await python('def main(): 1/0')).report).toMatchObject({ outcome: 'failed', cause: 'exception' });
    });
  });
});
