import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { waitFor } from '../../helpers/wait-for.ts';

/** In a process namespace of its own, as in a container. */
const ISOLATED = ['--pid', '--fork', '--mount-proc', '--kill-child'];
const canIsolate = (() => {
  try {
    execFileSync('unshare', [...ISOLATED, 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

const folder = mkdtempSync(join(tmpdir(), 'millrace-entry-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const entry = join(folder, 'container-entry.sh');
copyFileSync(join(import.meta.dirname, '../../../server/cli/container-entry.sh'), entry);
/** What stands for the command line here: runs the code that it is given. */
writeFileSync(join(folder, 'millrace.mjs'), 'eval(process.argv.slice(2).join(" "));');

function start(code: string) {
  const child = spawn('unshare', [...ISOLATED, entry, code], { stdio: ['pipe', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (data) => (output += String(data)));
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  return { child, ended, output: () => output };
}
/** The first process in the namespace of `unshare`. */
const firstProcess = (pid: number) =>
  Number(
    execFileSync('pgrep', ['-P', String(pid)])
      .toString()
      .trim(),
  );

describe.skipIf(!canIsolate)('the entry point of the image, as the first process of a container', () => {
  it('passes on arguments, input, output and the exit code', async () => {
    const { child, ended, output } = start(
      `process.stdin.on('data', (d) => { console.log(process.pid !== 1, String(d)); process.exit(7); })`,
    );
    child.stdin.end('hello');
    expect(await ended).toBe(7);
    expect(output()).toBe('true hello\n');
  });

  it('passes on signals, and gives the exit code that comes of them', async () => {
    const run = start(
      `process.on('SIGTERM', () => setTimeout(() => process.exit(9), 200)); setInterval(() => {}, 1e6); console.log('up')`,
    );
    await waitFor(() => run.output().includes('up'), { what: 'the process' });
    process.kill(firstProcess(run.child.pid!), 'SIGTERM');
    expect(await run.ended).toBe(9);
  });

  it('buries what others leave behind', async () => {
    const run = start(
      `const { execSync } = process.getBuiltinModule('child_process');
       const { readdirSync } = process.getBuiltinModule('fs');
       const states = () => readdirSync('/proc').filter(Number);
       execSync('(sleep 0.1 &) ; (sleep 0.1 &)', { stdio: 'ignore' });
       // This process, the shell, and nobody else
       const look = () => (states().length === 2 ? (console.log('left', 0), process.exit(0)) : setTimeout(look, 20));
       setTimeout(() => { console.log('left', states().length - 2); process.exit(1); }, 5000);
       look();`,
    );
    expect(await run.ended).toBe(0);
    expect(run.output()).toBe('left 0\n');
  });
});
