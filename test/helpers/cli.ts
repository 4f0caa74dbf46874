import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { waitFor } from './wait-for.ts';

const script = join(import.meta.dirname, 'run-dist-cli.mjs');

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}
export interface RunningCli {
  child: ChildProcess;
  stdout(): string;
  stderr(): string;
  /** Waits for a piece of output on either stream. */
  sees(pattern: RegExp, timeoutMs?: number): Promise<RegExpMatchArray>;
  kill(signal: NodeJS.Signals): Promise<Ended>;
  ended: Promise<Ended>;
}

/** Starts `millrace …` as a process of its own, with nothing of our own MILLRACE_* environment. */
export function startCli(args: string[], env: { [name: string]: string } = {}): RunningCli {
  const clean = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('MILLRACE_') && name !== 'DATABASE_URL',
  );
  const child = spawn(process.execPath, ['--enable-source-maps', script, ...args], {
    env: { ...Object.fromEntries(clean), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data) => (stdout += String(data)));
  child.stderr.on('data', (data) => (stderr += String(data)));
  const ended = new Promise<Ended>((resolve) =>
    child.once('close', (code, signal) => resolve({ code, signal, stdout, stderr })),
  );
  return {
    child,
    stdout: () => stdout,
    stderr: () => stderr,
    sees: async (pattern, timeoutMs = 20_000) => {
      const look = () => `${stdout}\n${stderr}`.match(pattern);
      const over = ended.then(() => look() ?? Promise.reject(new Error('it ended without it')));
      over.catch(() => undefined);
      try {
        return await Promise.race([over, waitFor(look, { timeoutMs, what: `${pattern}` })]);
      } catch (error) {
        throw new Error(
          `"millrace ${args.join(' ')}": ${(error as Error).message}\nstdout: ${stdout}\nstderr: ${stderr}`,
          { cause: error },
        );
      }
    },
    kill: (signal) => (child.kill(signal), ended),
    ended,
  };
}

export const runCli = (args: string[], env?: { [name: string]: string }): Promise<Ended> => startCli(args, env).ended;
