/** A side of a comparison: a program of its own process, so that its CPU and memory are its own. Spoken to over IPC. */
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { OUTPUT, type Program } from './build-sides.ts';

export interface Side {
  name: string;
  pid: number;
  call<T>(method: string, argument?: unknown): Promise<T>;
  stop(): Promise<void>;
}

interface Answer {
  id: number;
  result?: unknown;
  error?: string;
}

const CALL_TIMEOUT_MS = 180_000;

/** Starts a program that calls `serveSide`. */
export async function startSide(name: string, program: Program, nodeArgs: string[] = []): Promise<Side> {
  const execArgv = ['--enable-source-maps', ...nodeArgs];
  const child = fork(join(OUTPUT, `${program}.js`), { execArgv, stdio: ['ignore', 2, 2, 'ipc'] });
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  let calls = 0;
  const exited = new Promise<void>((resolve) =>
    child.once('exit', (code, signal) => {
      for (const { reject } of waiting.values()) reject(new Error(`${name} ended with ${code ?? signal}.`));
      waiting.clear();
      resolve();
    }),
  );
  child.on('message', ({ id, result, error }: Answer) => {
    const call = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) call?.resolve(result);
    else call?.reject(new Error(`${name}: ${error}`));
  });
  const side: Side = {
    name,
    pid: child.pid ?? 0,
    call: <T>(method: string, argument?: unknown) =>
      new Promise<T>((resolve, reject) => {
        if (!child.connected) return reject(new Error(`${name} is not running any more.`));
        const id = ++calls;
        const timer = setTimeout(() => {
          waiting.delete(id);
          reject(new Error(`${name} has not answered "${method}" within ${CALL_TIMEOUT_MS / 1000} s.`));
        }, CALL_TIMEOUT_MS);
        const settle =
          <V>(then: (value: V) => void) =>
          (value: V) => {
            clearTimeout(timer);
            then(value);
          };
        waiting.set(id, { resolve: settle((value) => resolve(value as T)), reject: settle(reject) });
        child.send({ id, method, argument });
      }),
    async stop() {
      if (child.connected) child.disconnect();
      const timer = setTimeout(() => child.kill('SIGKILL'), 5_000);
      await exited;
      clearTimeout(timer);
    },
  };
  await side.call('ready');
  return side;
}
