import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { join } from 'node:path';

export interface ServerProcess {
  url: string;
  /** As power loss would. */
  kill(): Promise<void>;
}

/** The server in a process of its own, on a free port or on that of an earlier one. */
export async function startServerProcess(databaseUrl: string, port = 0): Promise<ServerProcess> {
  const main = join(import.meta.dirname, 'server-process-main.ts');
  const child: ChildProcess = spawn(process.execPath, ['--import', 'tsx', main, databaseUrl, String(port)], {
    cwd: join(import.meta.dirname, '../..'),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (!child.stdout) throw new Error('the server process has no output');
  const lines = createInterface({ input: child.stdout });
  const [url] = (await Promise.race([
    once(lines, 'line'),
    once(child, 'exit').then(([code]) => Promise.reject(new Error(`the server process ended with ${code}`))),
  ])) as [string];
  return {
    url,
    async kill() {
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}
