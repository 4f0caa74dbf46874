/** A whole Millrace for a browser test: `millrace start` as a process of its own, on a free port that it keeps. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCli, startCli, type RunningCli } from '../helpers/cli.ts';

export interface TestService {
  url: string;
  /** Signs a browser in, once. */
  link: string;
  /** Runs a command against it. */
  cli(...args: string[]): Promise<string>;
  /** SIGKILL: no farewell to anyone. */
  kill(): Promise<void>;
  /** Starts again on the same port and home. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export async function startService(dags: string): Promise<TestService> {
  const home = mkdtempSync(join(tmpdir(), 'millrace-e2e-'));
  // A browser that reconnects must find the same address: the port is chosen before the first start.
  const env = {
    MILLRACE_HOME: home,
    MILLRACE_PORT: String(await freePort()),
    MILLRACE_DAGS: dags,
    MILLRACE_WORKER_NAME: 'local',
  };
  let running: RunningCli;
  let link = '';
  const start = async () => {
    running = startCli(['start'], env);
    link = (await running.sees(/https?:\/\/\S+[?#/]\S*\b\S{16,}/, 60_000))[0];
  };
  await start();
  return {
    url: `http://127.0.0.1:${env.MILLRACE_PORT}`,
    get link() {
      return link;
    },
    async cli(...args) {
      const { code, stdout, stderr } = await runCli(args, { MILLRACE_HOME: home });
      if (code !== 0) throw new Error(`millrace ${args.join(' ')} ended with ${code}\n${stdout}\n${stderr}`);
      return stdout;
    },
    async kill() {
      await running.kill('SIGKILL');
    },
    restart: start,
    async stop() {
      await running.kill('SIGTERM');
      rmSync(home, { recursive: true, force: true });
    },
  };
}
