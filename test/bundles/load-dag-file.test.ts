import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findDagFiles } from '#server/bundles/find-dag-files.ts';
import { loadDagFile } from '#server/bundles/load-dag-file.ts';
import type { LoadedFile } from '#server/bundles/loaded-file.ts';
import { unpackBundle } from '#server/bundles/unpack-bundle.ts';
import type { Dispatch } from '#sdk/protocol.ts';
import { runTypeScriptTask } from '#sdk/run-task.ts';
import { isAlive } from '#server/runner/process-group.ts';
import { waitFor } from '../helpers/wait-for.ts';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'millrace-load-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const write = (path: string, text: string) => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
  return join(root, path);
};
const load = (path: string, text: string) => loadDagFile(write(path, text));
/** `file:line: message`, the file as a name in the folder. */
const errorsOf = (loaded: LoadedFile) =>
  loaded.errors.map(({ file, line, message }) => `${file?.replace(`${root}/`, '') ?? '?'}:${line ?? '?'}: ${message}`);
const unpacked = async (loaded: LoadedFile) => {
  const dir = mkdtempSync(join(root, 'unpacked-'));
  const bundle = loaded.dags[0]?.bundle;
  if (!bundle) throw new Error(`No bundle: ${JSON.stringify(loaded.errors)}`);
  expect(await unpackBundle(bundle.archive, dir)).toBe(bundle.hash);
  return dir;
};

const ETL = `import { dag } from 'millrace';
import { z } from 'zod';
import { double } from './double.ts';
import text from './rows.csv';
import airports from 'vega-datasets/data/airports.csv';

export default dag('etl', { schedule: '@daily', start: '2026-01-01', params: z.object({ by: z.number().default(2) }) }, ({ task }) => {
  const rows = task('rows', ({ ctx }) => {
    ctx.ti.xcomPush('airports', airports.split('\\n').length);
    return text.trim().split('\\n');
  });
  task('count', { rows, airports: rows.xcom<number>('airports') }, async ({ rows, airports, params }) => ({
    rows: double(rows.length) * params.by,
    airports,
  }));
});
export const other = dag('other', {}, ({ bash }) => {
  bash('hello', { command: 'echo hello' });
});
`;

describe('a TypeScript file', () => {
  test('gives its DAGs and a bundle in which its tasks run, far from the file', async () => {
    write('etl/double.ts', 'export const double = (value: number): number => value * 2;\n');
    write('etl/rows.csv', 'a\nb\nc\n');
    const loaded = await load('etl/etl.ts', ETL);
    expect(errorsOf(loaded)).toEqual([]);
    expect(loaded.dags.map(({ spec, bundle }) => [spec.dagId, bundle !== null])).toEqual([
      ['etl', true],
      ['other', false],
    ]);
    const spec = loaded.dags[0]!.spec;
    expect(spec.params).toMatchObject({ properties: { by: { default: 2 } } });
    expect(spec.startDate).toBe('2026-01-01T00:00:00.000Z');
    expect(spec.tasks[1]?.upstream).toEqual(['rows']);
    expect(loaded.inputs).toContain(join(root, 'etl/double.ts'));

    const dir = await unpacked(loaded);
    const module = (await import(pathToFileURL(join(dir, 'dag.mjs')).href)) as object;
    const pushed = new Map<string, unknown>();
    const host = { signal: new AbortController().signal, bundleDir: dir, env: {}, xcomPush: pushed.set.bind(pushed) };
    const run = { conf: {}, params: { by: 10 } };
    const dispatch = (taskId: string, xcoms: object[]) =>
      ({
        dagId: 'etl',
        taskId,
        task: spec.tasks.find((task) => task.taskId === taskId),
        run,
        xcoms,
      }) as unknown as Dispatch;
    expect(await runTypeScriptTask(module, dispatch('rows', []), host)).toEqual(['a', 'b', 'c']);
    expect(pushed.get('airports')).toBeGreaterThan(3000);
    const xcoms = [
      { taskId: 'rows', key: 'return_value', value: ['a', 'b', 'c'], mapIndex: -1 },
      { taskId: 'rows', key: 'airports', value: 7, mapIndex: -1 },
    ];
    expect(await runTypeScriptTask(module, dispatch('count', xcoms), host)).toEqual({ rows: 60, airports: 7 });
  });

  test('gives the same hash from another folder', async () => {
    const one = await load(
      'one/same.ts',
      `import { dag } from 'millrace';\nexport default dag('d', {}, ({ task }) => { task('a', () => 1); });\n`,
    );
    const two = await load(
      'deep/er/same.ts',
      `import { dag } from 'millrace';\nexport default dag('d', {}, ({ task }) => { task('a', () => 1); });\n`,
    );
    expect(two.dags[0]?.bundle?.hash).toBe(one.dags[0]?.bundle?.hash);
  });

  test.each([
    ['a syntax error', `const a = ;\n`, [/^bad\.ts:1: Unexpected ";"\.$/]],
    [
      'a missing module',
      `import x from 'no-such-package';\nconsole.log(x);\n`,
      [/^bad\.ts:1: Could not resolve "no-such-package"\. Install 'no-such-package' beside/],
    ],
    [
      'a throw at the top',
      `const a = 1;\n\nthrow new TypeError('no good' + a);\n`,
      [/^bad\.ts:3: TypeError: no good1$/],
    ],
    ['no DAG', `export const x = 1;\n`, [/^bad\.ts:\?: The file exports no DAG\. Write 'export default dag/]],
    [
      'two tasks of one name',
      `import { dag } from 'millrace';\nexport default dag('d', {}, ({ empty }) => {\n  empty('a');\n  empty('a');\n});\n`,
      [/^bad\.ts:4: task 'a' of DAG 'd': this id is already taken/],
    ],
    [
      'mistakes in the spec, all with their line',
      `import { dag } from 'millrace';\nexport default dag('d', {\n  schedule: '61 * * * *',\n}, ({ empty }) => {\n  empty('a');\n  empty('b', { retries: -1 });\n});\n`,
      [
        /^bad\.ts:3: DAG 'd': schedule: '61 \* \* \* \*' is not a cron/,
        /^bad\.ts:6: DAG 'd': tasks\[1\]\.retries: -1 is not/,
      ],
    ],
    ['process.exit', `process.exit(3);\n`, [/^bad\.ts:\?: Loading ended without a result \(exit code 3\)/]],
  ])('with %s is refused with its place', async (_what, text, expected) => {
    const errors = errorsOf(await load('bad.ts', text));
    expect(errors).toHaveLength(expected.length);
    expected.forEach((pattern, at) => expect(errors[at]).toMatch(pattern));
  });

  test('sees no variable of ours', async () => {
    const loaded = await load('env.ts', `throw new Error(Object.keys(process.env).join());`);
    expect(loaded.errors[0]?.message).not.toMatch(/PATH|HOME|MILLRACE|DATABASE/);
  });
  test('that never ends does not outlive who loads it', async () => {
    const pidFile = join(root, 'busy.pid');
    const path = write(
      'busy.ts',
      `import { writeFileSync } from 'node:fs'; writeFileSync(${JSON.stringify(pidFile)}, String(process.pid)); for (;;);`,
    );
    const module = JSON.stringify(new URL('../../server/bundles/load-dag-file.ts', import.meta.url).href);
    const script = `import(${module}).then(({ loadDagFile }) => loadDagFile(${JSON.stringify(path)}))`;
    const parent = spawn(process.execPath, ['--import', 'tsx', '-e', script], { stdio: 'inherit' });
    const pid = await waitFor(() => (existsSync(pidFile) ? Number(readFileSync(pidFile, 'utf8')) : null), {
      what: 'the file to be loaded',
    });
    parent.kill('SIGKILL');
    await waitFor(() => !isAlive(pid), { what: `process ${pid} to end` });
  });
  test('that never ends is stopped, with all it started', async () => {
    const path = write('slow.ts', `console.log('waiting'); await new Promise((resolve) => setTimeout(resolve, 1e6));`);
    const loaded = await loadDagFile(path, { limits: { milliseconds: 3000, megabytes: 256 } });
    expect(loaded.errors[0]?.message).toMatch(/^Loading took longer than 3 s\..* It printed: waiting$/);
  });
  test('is not waited for when it has left something running', async () => {
    const began = performance.now();
    const loaded = await load(
      'leaves.ts',
      `import { spawn } from 'node:child_process';
       import { dag } from 'millrace';
       spawn('/bin/sleep', ['60'], { stdio: 'inherit' });
       export default dag('leaves', {}, ({ bash }) => void bash('a', { command: 'true' }));`,
    );
    expect(errorsOf(loaded)).toEqual([]);
    expect(performance.now() - began).toBeLessThan(15_000);
  });
  test('that eats memory is stopped', async () => {
    const path = write('fat.ts', `const all: number[][] = []; for (;;) all.push(new Array(1e5).fill(1.5));`);
    const loaded = await loadDagFile(path, { limits: { milliseconds: 30_000, megabytes: 64 } });
    expect(loaded.errors[0]?.message).toMatch(/^Loading needed more than 64 MiB of memory/);
  });
});

describe('a YAML file', () => {
  test('is a DAG, and its Python files travel with it', async () => {
    write(
      'py/model.py',
      'import json\nfrom features import scale\nimport deep.layer\n\ndef train():\n    return scale(1)\n',
    );
    write('py/features.py', 'def scale(x):\n    return x\n');
    write('py/deep/__init__.py', '');
    write('py/deep/layer.py', '');
    write('py/unrelated.py', '');
    write('py/data/a.csv', '1');
    write('py/data/b.txt', '1');
    const loaded = await load(
      'py/ml.yaml',
      `dagId: ml
schedule: { every: 1d }
defaults: { retries: 1 }
files: ['data/*.csv', vega-datasets/data/seattle-weather.csv]
tasks:
  - { taskId: train, kind: python, callable: 'model.py:train' }
  - { taskId: done, kind: empty, upstream: train }
`,
    );
    expect(errorsOf(loaded)).toEqual([]);
    expect(loaded.dags[0]?.spec.schedule).toEqual({ kind: 'interval', seconds: 86_400 });
    expect(findDagFiles(join(root, 'py'))).toEqual([join(root, 'py/ml.yaml')]);
    expect(loaded.inputs.filter((path) => path.endsWith('seattle-weather.csv'))[0]).toMatch(
      /node_modules\/vega-datasets/,
    );
    const dir = await unpacked(loaded);
    const names = (await import('node:fs')).readdirSync(dir, { recursive: true }).map(String).sort();
    expect(names.filter((name) => /\.\w+$/.test(name))).toEqual([
      'data/a.csv',
      'deep/__init__.py',
      'deep/layer.py',
      'features.py',
      'model.py',
      'vega-datasets/data/seattle-weather.csv',
    ]);
  });
  test.each([
    [
      'yaml',
      'dagId: d\ntasks:\n  - { taskId: a, kind: empty }\n  - taskId: b\n    kind: empty\n    upstream: [x]\n',
      ["bad.yaml:6: DAG 'd': tasks[1].upstream[0]: There is no task 'x' in this DAG."],
    ],
    ['yaml', 'dagId: d\ntasks: [\n', [/^bad\.yaml:\d: Flow sequence/]],
    [
      'json',
      '{ "dagId": "d",\n  "tasks": [\n    { "taskId": "a", "kind": "bash" } ] }\n',
      ["bad.json:3: DAG 'd': tasks[0].command: 'command' is missing."],
    ],
    [
      'yaml',
      'dagId: d\ntasks:\n  - { taskId: a, kind: python, callable: "gone.py:f" }\n',
      [/Task 'a' of DAG 'd' calls gone\.py:f, but there is no gone\.py/],
    ],
    ['yaml', "dagId: d\nfiles: ['../x']\ntasks:\n  - { taskId: a, kind: empty }\n", [/files: '\.\.\/x' lies outside/]],
  ])('(%s) with a mistake is refused with its line', async (extension, text, expected) => {
    const errors = errorsOf(await load(`bad.${extension}`, text));
    expect(errors).toHaveLength(expected.length);
    expected.forEach((pattern, at) =>
      pattern instanceof RegExp ? expect(errors[at]).toMatch(pattern) : expect(errors[at]).toBe(pattern),
    );
  });
  test('may hold several documents', async () => {
    const one = (id: string) => `dagId: ${id}\ntasks: [{ taskId: a, kind: empty }]\n`;
    const loaded = await load('two.yaml', `${one('first')}---\n${one('second')}`);
    expect(loaded.dags.map((dag) => dag.spec.dagId)).toEqual(['first', 'second']);
  });
});

describe('the packages of Python tasks', () => {
  const DAG = 'dagId: d\ntasks:\n  - { taskId: a, kind: python, source: "print(1)" }\n';
  const requirementsOf = async (loaded: LoadedFile) =>
    readFileSync(join(await unpacked(loaded), 'requirements.txt'), 'utf8');
  test('travel as the nearest requirements.txt, no further up than the top of the source', async () => {
    const file = write('req/dags/team/d.yaml', DAG);
    write('req/requirements.txt', 'alpha\n');
    const [dags, top] = [join(root, 'req/dags'), join(root, 'req')];
    const without = await loadDagFile(file, { top: dags });
    expect(errorsOf(without)).toEqual([]);
    expect(without.dags[0]?.bundle).toBeNull();
    // Watched for, so that it counts as soon as it is there
    expect(without.inputs).toContain(join(root, 'req/dags/requirements.txt'));
    expect(without.inputs).not.toContain(join(root, 'req/requirements.txt'));
    expect(await requirementsOf(await loadDagFile(file, { top }))).toBe('alpha\n');
    expect(await requirementsOf(await loadDagFile(file, { root: top }))).toBe('alpha\n');
    write('req/dags/requirements.txt', 'beta\n');
    expect(await requirementsOf(await loadDagFile(file, { top }))).toBe('beta\n');
    write('req/dags/team/requirements.txt', 'gamma\n');
    expect(await requirementsOf(await loadDagFile(file))).toBe('gamma\n');
  });
  test('with the files that it names, which lie beside it', async () => {
    const file = write('named/d.yaml', DAG);
    write('named/requirements.txt', '-r more/base.txt # all\n-c https://example.com/c.txt\nalpha\n');
    write('named/more/base.txt', '-c pins.txt\nbeta\n');
    expect(errorsOf(await loadDagFile(file))[0]).toContain('base.txt names pins.txt, but there is no such file.');
    write('named/more/pins.txt', 'beta==1\n');
    const names = readdirSync(await unpacked(await loadDagFile(file)), { recursive: true }).map(String);
    expect(names.sort()).toEqual(['more', 'more/base.txt', 'more/pins.txt', 'requirements.txt']);
    write('named/requirements.txt', '-r ../etc/passwd\n');
    expect(errorsOf(await loadDagFile(file))[0]).toContain('names ../etc/passwd, which lies outside of');
  });
  test('are no matter of a file without Python', async () => {
    write('bash/requirements.txt', 'alpha\n');
    const loaded = await load('bash/d.yaml', 'dagId: d\ntasks:\n  - { taskId: a, kind: bash, command: "true" }\n');
    expect(loaded.dags[0]?.bundle).toBeNull();
  });
});

test("a sensor's code travels with it", async () => {
  write('sensor/look.py', 'def there():\n  return True\n');
  const yaml = await load(
    'sensor/d.yaml',
    'dagId: d\ntasks:\n  - { taskId: a, kind: sensor, for: { python: { callable: "look.py:there" } } }\n',
  );
  expect(errorsOf(yaml)).toEqual([]);
  expect(readdirSync(await unpacked(yaml))).toEqual(['look.py']);
});
