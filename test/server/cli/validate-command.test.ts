import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { runCli } from '../../helpers/cli.ts';

const root = mkdtempSync(join(tmpdir(), 'millrace-validate-'));
const write = (name: string, text: string) => {
  mkdirSync(join(root, name, '..'), { recursive: true });
  writeFileSync(join(root, name), text);
  return join(root, name);
};
afterAll(() => rmSync(root, { recursive: true, force: true }));

const good = write('good/one.yaml', 'dagId: one\ntasks: [{ taskId: a, kind: bash, command: echo }]\n');
write(
  'good/two.ts',
  `import { dag } from 'millrace';\nexport default dag('two', {}, ({ empty }) => { empty('a'); empty('b'); });\n`,
);
const bad = write(
  'bad/wrong.yaml',
  'dagId: wrong\nschedul: "@daily"\ntasks:\n  - { taskId: a, kind: bash }\n  - { taskId: b, kind: bash, command: echo, upstream: aa }\n',
);
const broken = write(
  'bad/broken.ts',
  `import { dag } from 'millrace';\nexport default dag('broken', {}, () => { throw new Error('no'); });\n`,
);

describe('millrace validate', { timeout: 60_000 }, () => {
  it('lists what good files define; needs no service', async () => {
    const ended = await runCli(['validate', join(root, 'good')]);
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(ended.stdout).toMatch(/one\.yaml: one \(1 task\)\n.*two\.ts: two \(2 tasks\)\n$/);
  });

  it('says every mistake at once with its place and what to do, and ends with 1', async () => {
    const ended = await runCli(['validate', good, bad, broken]);
    expect(ended.code).toBe(1);
    expect(ended.stdout).toMatch(/one\.yaml: one/);
    for (const line of [
      /wrong\.yaml:\d+:\d+: .*Unknown key 'schedul'\. Did you mean 'schedule'\?/,
      /wrong\.yaml:4:\d+: .*'command' is missing/,
      /wrong\.yaml:5:\d+: .*There is no task 'aa'/,
      /broken\.ts:2:\d+: no/,
      /^2 of 3 files are not valid\.$/m,
    ])
      expect(ended.stderr).toMatch(line);
  });

  it('finds a DAG that two files define', async () => {
    const twin = write('twin/one.yaml', 'dagId: one\ntasks: [{ taskId: a, kind: empty }]\n');
    const ended = await runCli(['validate', good, twin, '--json']);
    expect(ended.code).toBe(1);
    expect(JSON.parse(ended.stdout)).toMatchObject([
      { dags: [{ dagId: 'one', tasks: 1 }], errors: [] },
      { errors: [{ message: expect.stringMatching(/DAG 'one' is defined in .*good\/one\.yaml already/) }] },
    ]);
  });

  it('a path without a DAG is no success', async () => {
    const empty = join(root, 'none');
    mkdirSync(empty);
    expect(await runCli(['validate', empty])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('no DAG file'),
    });
    expect(await runCli(['validate', join(root, 'gone')])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('no file or folder'),
    });
  });
});
