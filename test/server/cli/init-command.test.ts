import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../../helpers/cli.ts';

const checkout = join(import.meta.dirname, '../../..');
const root = mkdtempSync(join(tmpdir(), 'millrace-init-'));
// As root PostgreSQL runs as another user, who must be able to pass.
chmodSync(root, 0o755);
const project = join(root, 'my-dags');
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Runs Node in the project, with nothing of the environment of this test run. */
function node(...args: string[]): Promise<{ code: number; output: string }> {
  const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], MILLRACE_HOME: join(root, 'home') };
  return new Promise((done) =>
    execFile(process.execPath, args, { cwd: project, env }, (error, stdout, stderr) =>
      done({ code: error === null ? 0 : Number(error.code ?? 1), output: stdout + stderr }),
    ),
  );
}

/** As `npm install` does it: a dependency on a folder becomes a link to it. */
function install(): void {
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')) as {
    [kind: string]: { [name: string]: string };
  };
  mkdirSync(join(project, 'node_modules/@types'), { recursive: true });
  for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) {
    const target = version.startsWith('file:')
      ? resolve(project, version.slice(5))
      : join(checkout, 'node_modules', name);
    symlinkSync(target, join(project, 'node_modules', name));
  }
}

describe('millrace init', { timeout: 240_000 }, () => {
  beforeAll(async () => {
    const made = await runCli(['init', project]);
    expect(made).toMatchObject({ code: 0, stderr: expect.stringContaining('npm install && npm test') });
    expect(made.stdout.trim().split('\n')).toEqual([
      'created package.json',
      'created tsconfig.json',
      'created .gitignore',
      'created README.md',
      'created dags/hello.ts',
      'created dags/disk_space.yaml',
      'created test/dags.test.mjs',
    ]);
    install();
  });

  it('makes a project whose types are right, and would find a wrong one', async () => {
    const tsc = 'node_modules/typescript/bin/tsc';
    expect(await node(tsc)).toEqual({ code: 0, output: '' });
    const wrong = readFileSync(join(project, 'dags/hello.ts'), 'utf8').replace('greetings.length', 'greetings.size');
    writeFileSync(join(project, 'dags/wrong.ts'), wrong);
    expect(await node(tsc)).toMatchObject({ code: 2, output: expect.stringMatching(/dags\/wrong\.ts.*'size'/) });
    rmSync(join(project, 'dags/wrong.ts'));
  });

  it('whose test passes', async () => {
    const { code, output } = await node('--test', 'test/dags.test.mjs');
    expect({ code, output }).toMatchObject({ code: 0, output: expect.stringMatching(/pass 3/) });
  });

  it('names a schema for the editor that is there and fits', () => {
    const [, path] = /\$schema=(\S+)/.exec(readFileSync(join(project, 'dags/disk_space.yaml'), 'utf8')) ?? [];
    const schema = JSON.parse(readFileSync(join(project, 'dags', path!), 'utf8')) as { properties: object };
    expect(Object.keys(schema.properties)).toContain('dagId');
  });

  it('overwrites nothing', async () => {
    writeFileSync(join(project, 'README.md'), 'mine');
    rmSync(join(project, '.gitignore'));
    const again = await runCli(['init', project, '--json']);
    expect(JSON.parse(again.stdout)).toMatchObject({
      created: ['.gitignore'],
      kept: expect.arrayContaining(['README.md', 'dags/hello.ts']),
    });
    expect(readFileSync(join(project, 'README.md'), 'utf8')).toBe('mine');
    writeFileSync(join(root, 'file'), '');
    expect(await runCli(['init', join(root, 'file')])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^Cannot write .*package\.json/),
    });
  });
});
