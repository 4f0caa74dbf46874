import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { letGoWhenQuiet, type LetGoOptions } from '#server/runner/let-go.ts';
import { isAlive } from '../../helpers/processes.ts';
import { waitFor } from '../../helpers/wait-for.ts';

const MIB = 1024 * 1024;

/** A shell that starts one program, says its number, and exits; the program has the shell's stdout, and goes on. */
function leavesBehind(program: string, options?: LetGoOptions) {
  const shell = spawn('sh', ['-c', `${program} & echo $! >&2`], { stdio: ['ignore', 'pipe', 'pipe'] });
  let pid = 0;
  shell.stderr.once('data', (data: Buffer) => (pid = Number(data.toString())));
  onTestFinished(() => {
    if (pid > 0 && isAlive(pid)) process.kill(pid, 'SIGKILL');
  });
  shell.on('exit', () => [shell.stdout, shell.stderr].forEach((stream) => letGoWhenQuiet(stream, options)));
  const closed = once(shell, 'close');
  return { stdout: shell.stdout as Readable, closed, pid: () => pid };
}

it('a reader that is slower than the end of its process loses nothing', async () => {
  const { stdout } = leavesBehind(`head -c ${16 * MIB} /dev/zero`, { graceMs: 100, mostMs: 60_000 });
  let bytes = 0;
  const read = async () => {
    for await (const chunk of stdout) {
      bytes += (chunk as Buffer).length;
      await sleep(5);
    }
  };
  await read().catch((error: Error) => expect.fail(`${error.message}, after ${bytes} bytes`));
  expect(bytes).toBe(16 * MIB);
});

it('reads on what was left when reading is paused', async () => {
  const { stdout, closed } = leavesBehind(`head -c ${MIB} /dev/zero`, { graceMs: 20, mostMs: 60_000 });
  let bytes = 0;
  stdout.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    stdout.pause();
  });
  await closed;
  expect(bytes).toBe(MIB);
});

it('a process that holds the pipe open and says nothing is let go', async () => {
  const { stdout, closed, pid } = leavesBehind('sleep 60', { graceMs: 50, mostMs: 3_600_000 });
  stdout.resume();
  await closed;
  await waitFor(pid, { what: 'the number of the program' });
  expect(isAlive(pid())).toBe(true);
});

it('a process that writes for ever is let go all the same', async () => {
  const { stdout, closed } = leavesBehind('yes', { graceMs: 50, mostMs: 500 });
  let bytes = 0;
  stdout.on('data', (chunk: Buffer) => (bytes += chunk.length));
  await closed;
  expect(bytes).toBeGreaterThan(0);
});
