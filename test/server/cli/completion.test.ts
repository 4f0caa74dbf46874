import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { completionsOf } from '#server/cli/complete.ts';
import { createProgram } from '#server/cli/main.ts';
import { runCli } from '../../helpers/cli.ts';

const root = mkdtempSync(join(tmpdir(), 'millrace-completion-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const names: { [kind: string]: string[] } = { dag: ['etl_daily', 'etl_hourly', 'report'], run: ['12', '13'] };
const complete = (line: string) =>
  completionsOf(createProgram(), line.split(' '), (kind) => Promise.resolve(names[kind] ?? []));

describe('completionsOf', () => {
  it.each<[string, string[]]>([
    ['tri', ['trigger']],
    ['trigger ', ['etl_daily', 'etl_hourly', 'report']],
    ['trigger etl_', ['etl_daily', 'etl_hourly']],
    ['pause report etl_d', ['etl_daily']],
    ['cancel 1', ['12', '13']],
    ['trigger etl_daily --w', ['--wait']],
    ['trigger --conf {} re', ['report']],
    ['mark 12 ', ['failed', 'skipped', 'success']],
    ['token cr', ['create']],
    ['token create --role ', ['admin', 'editor', 'viewer', 'worker']],
    ['completion ', ['bash', 'fish', 'zsh']],
    ['validate ', []],
    ['test dags/x.ts --tr', ['--try-all']],
    ['nonsense ', []],
  ])('%s → %j', async (line, expected) => {
    expect(await complete(line)).toEqual(expected);
  });

  it('offers every command that is not hidden', async () => {
    const all = await complete('');
    expect(all).toEqual(expect.arrayContaining(['clear', 'init', 'test', 'validate']));
    expect(all).not.toContain('complete');
  });
});

describe('millrace completion', { timeout: 60_000 }, () => {
  it('makes bash complete; with no service there are no names, and no noise', async () => {
    const { stdout: script } = await runCli(['completion', 'bash']);
    const cli = join(import.meta.dirname, '../../helpers/run-dist-cli.mjs');
    writeFileSync(join(root, 'millrace'), `#!/bin/sh\nexec "${process.execPath}" "${cli}" "$@"\n`);
    chmodSync(join(root, 'millrace'), 0o755);
    const ask = (words: string[]) => {
      const line = `COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}`;
      const code = `${script}\n${line}\n_millrace\necho "\${COMPREPLY[*]}"`;
      const env = { PATH: `${root}:/usr/bin:/bin`, MILLRACE_HOME: join(root, 'none') };
      return new Promise((resolve, reject) =>
        execFile('bash', ['--norc', '-c', code], { env }, (error, stdout, stderr) =>
          error ? reject(error) : resolve({ stdout: stdout.trim().split(/\s+/), stderr }),
        ),
      );
    };
    expect(await ask(['millrace', 'unp'])).toEqual({ stdout: ['unpause'], stderr: '' });
    expect(await ask(['millrace', 'mark', '12', ''])).toEqual({ stdout: ['failed', 'skipped', 'success'], stderr: '' });
    expect(await ask(['millrace', 'trigger', ''])).toEqual({ stdout: [''], stderr: '' });
  });

  it('knows the shells', async () => {
    for (const shell of ['zsh', 'fish'])
      expect(await runCli(['completion', shell])).toMatchObject({
        code: 0,
        stdout: expect.stringContaining('millrace complete --'),
      });
    expect(await runCli(['completion', 'tcsh'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('bash, zsh, fish'),
    });
  });
});
