/** Every block of every page is what it says it is. The name of a test is the page and the line of its block. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSchema, parse, validate } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadDagFile } from '#server/bundles/load-dag-file.ts';
import { checkRuns } from '../helpers/check-runs.ts';
import { typeErrorsOf } from '../helpers/check-types.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { dagFileOf, nameOf, pages, snippetsOf, type Snippet } from '../helpers/doc-snippets.ts';
import { startExampleService } from '../helpers/example-service.ts';
import { checkCommand, millraceCommands } from '../helpers/shell-commands.ts';

const ROOT = join(import.meta.dirname, '../..');
const hasPython = spawnSync('python3', ['--version']).status === 0;
const folder = mkdtempSync(join(tmpdir(), 'millrace-docs-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const all = pages.flatMap(snippetsOf).map((snippet) => ({ ...snippet, name: nameOf(snippet) }));
const of = (...langs: string[]) => all.filter(({ lang }) => langs.includes(lang));
/** With their names whole, however long. */
const named = <Of extends { name: string }>(list: Of[]) => list.map((each) => [each.name, each] as const);
const failAt = ({ page }: Snippet, line: number, message: string): never => {
  throw new Error(`${page}:${line}: ${message}`);
};

test('each block says what it is', () => {
  const known = ['ts', 'yaml', 'graphql', 'bash', 'sh', 'json', 'python', 'mermaid', 'text'];
  expect(all.filter(({ lang }) => !known.includes(lang)).map(({ name }) => name)).toEqual([]);
  expect(all.length).toBeGreaterThan(40);
});

const dags = of('ts', 'yaml').map((snippet, index) => {
  const { name, text, before } = dagFileOf(snippet);
  const dir = join(folder, String(index));
  mkdirSync(dir);
  writeFileSync(join(dir, name), text);
  return { ...snippet, file: join(dir, name), before };
});

describe('DAGs', () => {
  let types: ReturnType<typeof typeErrorsOf>;
  beforeAll(() => {
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    types = typeErrorsOf(dags.filter(({ lang }) => lang === 'ts').map(({ file }) => file));
  });
  test.concurrent.each(named(dags))('%s is loaded', async (_name, { file, before, ...snippet }) => {
    const { dags: loaded, errors } = await loadDagFile(file);
    const [error] = errors;
    if (error) failAt(snippet, snippet.line + Math.max(0, (error.line ?? 1) - 1 - before), error.message);
    expect(loaded.length).toBeGreaterThan(0);
  });
  test.each(named(dags.filter(({ lang }) => lang === 'ts')))(
    '%s has the right types',
    (_name, { file, before, ...snippet }) => {
      const [error] = types.get(file) ?? [];
      if (error) failAt(snippet, snippet.line + error.line - before, error.message);
    },
  );
});

describe('DAGs that need nothing around them', async () => {
  const database = await createTestDatabase();
  let service: Awaited<ReturnType<typeof startExampleService>>;
  beforeAll(async () => {
    service = await startExampleService(database);
  });
  afterAll(() => service.stop());
  test.each(named(dags.filter(({ marks }) => marks.includes('run'))))(
    '%s runs to success',
    async (_name, { file }) => {
      for (const dag of (await loadDagFile(file)).dags) {
        const { run, tasks } = await service.run(dag);
        expect(run, `${JSON.stringify(tasks)}\n${service.printed()}`).toBe('success');
      }
      await checkRuns(database);
    },
    70_000,
  );
});

test('a command or an option that is not there is noticed', () => {
  const problemOf = (line: string) => {
    try {
      millraceCommands(line).forEach(checkCommand);
    } catch (error) {
      return (error as Error).message;
    }
    return null;
  };
  expect(problemOf(`FOO=1 npx millrace trigger x --conf '{"a": 1}' \\\n  --wait | tail`)).toBeNull();
  expect(problemOf('millrace fly x')).toMatch(/no command 'millrace fly x'/);
  expect(problemOf('true && millrace trigger x --nope')).toMatch(/no option '--nope'/);
  expect(problemOf('millrace trigger')).toMatch(/is given 0 arguments/);
  expect(problemOf('millrace trigger x y')).toMatch(/is given 2 arguments/);
  expect(problemOf('millrace mark 12 success')).toMatch(/needs '--task/);
  expect(problemOf('millrace mark 12 blue --task x')).toMatch(/Allowed choices/);
  expect(problemOf(`millrace trigger x --conf '{'`)).toMatch(/conf/);
});

describe('the rest', () => {
  const schema = buildSchema(readFileSync(join(ROOT, 'schema/schema.graphql'), 'utf8'));
  test.each(named(of('graphql')))('%s fits the schema', (_name, { text, ...snippet }) => {
    const [error] = validate(schema, parse(text));
    if (error) failAt({ ...snippet, text }, snippet.line + (error.locations?.[0]?.line ?? 1) - 1, error.message);
  });
  test.each(named(of('bash', 'sh')))('%s is for a shell, and calls commands that exist', (_name, { text }) => {
    const { status, stderr } = spawnSync('bash', ['-n'], { input: text, encoding: 'utf8' });
    expect(status, stderr).toBe(0);
    for (const words of millraceCommands(text)) checkCommand(words);
  });
  test.each(named(of('json')))('%s is JSON', (_name, { text }) => {
    expect(() => JSON.parse(text) as unknown).not.toThrow();
  });
  test.runIf(hasPython).each(named(of('python')))('%s is Python', (_name, { text }) => {
    const { status, stderr } = spawnSync('python3', ['-c', 'import ast, sys; ast.parse(sys.stdin.read())'], {
      input: text,
      encoding: 'utf8',
    });
    expect(status, stderr).toBe(0);
  });
});
