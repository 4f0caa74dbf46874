import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startRunner } from '../../helpers/runner.ts';

describe('decisions', () => {
  let runner: ReturnType<typeof startRunner>;
  beforeAll(() => {
    runner = startRunner();
  });
  afterAll(() => runner.stop());
  const downstream = ['full', 'delta', 'load.a', 'load.b'];
  const targets = { load: ['load.a', 'load.b'] };
  const branch = async (source: string) => {
    const { report } = await runner.run({ kind: 'branch', runtime: 'python', source, targets }, { downstream });
    return report;
  };

  it.each([
    ['one task', 'return "full"', ['full']],
    ['several', 'return ["delta", "full", "delta"]', ['delta', 'full']],
    ['a set', 'return {"full", "delta"}', ['delta', 'full']],
    ['a group: its entry tasks', 'return "load"', ['load.a', 'load.b']],
    ['none', 'return None', []],
  ])('a branch chooses %s', async (_what, body, chosen) => {
    expect(await branch(`def main():\n  ${body}`)).toMatchObject({ outcome: 'success', cause: 'ok', branch: chosen });
  });
  it.each([
    [
      'return "fulll"',
      "'fulll' does not wait for 'task' directly, so it cannot be chosen. Did you mean 'full'? It may choose full, delta, load.a, load.b, load.",
    ],
    ['return ["full", 3]', 'A branch answers with the id of a task, a list of them, or nothing; not with 3.'],
    ['return "x" * 100_000', 'A branch answers with the id of a task, a list of them, or nothing; not with 98 KiB.'],
  ])('a branch that answers otherwise fails for good: %s', async (body, message) => {
    const report = await branch(`def main():\n  ${body}`);
    expect(report).toMatchObject({ outcome: 'failed', cause: 'branch_invalid', message, retryable: false });
    expect(report.branch).toBeUndefined();
  });
  it('a branch that skips itself or fails decides nothing', async () => {
    const skipped = await branch('import millrace\nmillrace.skip("no data")');
    expect(skipped).toMatchObject({ outcome: 'skipped', cause: 'skipped_by_task', message: 'no data' });
    expect(skipped.branch).toBeUndefined();
    expect(await branch('import millrace\nmillrace.fail("no")')).toMatchObject({ outcome: 'failed', retryable: false });
  });

  it.each([
    ['{{ params.n > 3 }}', ['full']],
    ['{{ params.n > 9 }}', ['delta']],
  ])('a branch of templates takes the first that holds: %s', async (when, chosen) => {
    const choose = [
      { when, then: ['full'] },
      { when: null, then: ['delta'] },
    ];
    const { report } = await runner.run(
      { kind: 'branch', runtime: 'template', choose },
      { downstream, run: { params: { n: 5 } } },
    );
    expect(report).toMatchObject({ outcome: 'success', branch: chosen });
  });
  it('a branch of templates of which none holds chooses nothing', async () => {
    const choose = [{ when: '{{ 1 > 2 }}', then: ['full'] }];
    const { report } = await runner.run({ kind: 'branch', runtime: 'template', choose }, { downstream });
    expect(report).toMatchObject({ outcome: 'success', branch: [] });
  });

  it.each([
    ['true', 'def main(): return 7', {}, { branch: null }],
    ['true and large', 'def main(): return "x" * 100_000', {}, { branch: null }],
    ['empty', 'def main(): return []', {}, { branch: [], skipAll: true }],
    ['false with trigger rules', 'def main(): return False', { ignoreTriggerRules: false }, { branch: [] }],
  ])('a short circuit of Python that is %s', async (_what, source, more, decision) => {
    const { report } = await runner.run({ kind: 'short_circuit', runtime: 'python', source, ...more }, { downstream });
    const { branch: chosen, skipAll } = report;
    expect({ branch: chosen, ...(skipAll !== undefined && { skipAll }) }).toEqual(decision);
  });
  it('read large results of other tasks', async () => {
    const text = JSON.stringify('x'.repeat(100_000));
    const reader = startRunner({
      fetchArtifact(_dispatchId, { hash }) {
        const path = join(reader.home, hash);
        writeFileSync(path, text);
        return Promise.resolve(path);
      },
    });
    const artifact = { hash: 'a'.repeat(64), bytes: text.length };
    const xcoms = [{ taskId: 'read', key: 'return_value', mapIndex: -1, value: null, artifact }];
    // As from a module of the bundle: nothing in the task itself says that it reads them
    const source = 'def main(ti):\n  return len(getattr(ti, "xcom_" + "pull")("read")) == 100_000';
    const circuit = await reader.run({ kind: 'short_circuit', runtime: 'python', source }, { downstream, xcoms });
    expect(circuit.report).toMatchObject({ outcome: 'success', branch: null });
    const python = { callable: null, source, args: {} };
    const sensor = await reader.run({ kind: 'sensor', for: { python } }, { xcoms });
    expect(sensor.report).toMatchObject({ outcome: 'success' });
    await reader.stop();
  });
  it('a short circuit of a template', async () => {
    const condition = '{{ params.rows }}';
    const of = async (rows: number) =>
      (
        await runner.run(
          { kind: 'short_circuit', runtime: 'template', condition },
          { downstream, run: { params: { rows } } },
        )
      ).report;
    expect(await of(3)).toMatchObject({ outcome: 'success', branch: null });
    expect(await of(0)).toMatchObject({ outcome: 'success', branch: [], skipAll: true });
  });
});

describe('mapped instances', () => {
  let runner: ReturnType<typeof startRunner>;
  beforeAll(() => {
    runner = startRunner();
  });
  afterAll(() => runner.stop());
  const mapItem = { file: 'a.csv', size: { rows: 3 } };
  const map = {
    over: { kind: 'product' as const, axes: { file: { kind: 'literal' as const, items: ['a.csv'] } } },
    limit: null,
    name: null,
  };

  it('bash gets the arguments as variables and in templates', async () => {
    const command = 'echo "$file $size {{ map_item.file }} {{ inputs.size.rows }} {{ map_index }} $MILLRACE_MAP_INDEX"';
    const { report } = await runner.run({ kind: 'bash', command, map }, { mapItem });
    expect(report.xcoms).toEqual({ return_value: 'a.csv {"rows":3} a.csv 3 0 0' });
  });
  it('Python gets the arguments of its map as keyword arguments, all of them', async () => {
    const source = 'def main(file, size, map_index):\n  return [file, size["rows"], map_index]';
    const { report } = await runner.run({ kind: 'python', source, map }, { mapItem });
    expect(report.xcoms).toEqual({ return_value: ['a.csv', 3, 0] });
    const without = await runner.run({ kind: 'python', source: 'def main(file): pass', map }, { mapItem });
    expect(without.report).toMatchObject({ outcome: 'failed', cause: 'exception' });
  });
  it('Python in a mapped group takes those that it asks for', async () => {
    const { report } = await runner.run(
      { kind: 'python', source: 'def main(file):\n  return file', group: 'load' },
      { mapItem },
    );
    expect(report.xcoms).toEqual({ return_value: 'a.csv' });
  });
  it('a mapped upstream without results is an empty list', async () => {
    const inputs = { sizes: { task: 'size', key: 'return_value', list: true as const } };
    const { report } = await runner.run({
      kind: 'python',
      source: 'def main(sizes):\n  return len(sizes)',
      inputs,
    });
    expect(report.xcoms).toEqual({ return_value: 0 });
  });
  it('its name is rendered over its arguments', async () => {
    const { report } = await runner.run(
      { kind: 'bash', command: 'true', map },
      { mapItem, mapName: '{{ file }} of {{ ds }}' },
    );
    expect(report).toMatchObject({ outcome: 'success', mapName: 'a.csv of 2026-01-02' });
  });
  it('a name that cannot be rendered is told, and the work counts', async () => {
    const { report, lines } = await runner.run(
      { kind: 'bash', command: 'true', map },
      { mapItem, mapName: '{{ fil }}' },
    );
    expect(report.outcome).toBe('success');
    expect(report.mapName).toBeUndefined();
    expect(lines.join()).toMatch(/The instance has no name\. map\.name: 'fil' is undefined/);
  });
});
