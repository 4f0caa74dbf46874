/** A real Redis for a test or benchmark, that keeps nothing on disk. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from './service.ts';
import { waitFor } from './wait-for.ts';

export interface TestRedis {
  url: string;
  pid(): number;
  /** Connected; closed with the server. */
  client: Redis;
  /** SIGKILL: all that it knew is gone. */
  kill(): Promise<void>;
  /** Again, at the same address. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

function isInstalled(): boolean {
  try {
    execFileSync('redis-server', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** As the browser of the browser tests: brought where we may. */
export function ensureRedis(): void {
  if (isInstalled()) return;
  if (process.getuid?.() !== 0)
    throw new Error('There is no redis-server here: install it as root with "apt-get install redis-server".');
  const apt = (...args: string[]) =>
    execFileSync('apt-get', args, { stdio: 'ignore', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } });
  apt('update');
  apt('install', '-y', '--no-install-recommends', 'redis-server');
}

export async function startTestRedis(): Promise<TestRedis> {
  ensureRedis();
  const port = await freePort();
  const dir = mkdtempSync(join(tmpdir(), 'millrace-redis-'));
  const settings = { port, bind: '127.0.0.1', save: '', appendonly: 'no', dir, 'maxmemory-policy': 'noeviction' };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const url = `redis://127.0.0.1:${port}`;
  const client = new Redis(url, { lazyConnect: true, maxRetriesPerRequest: null });
  client.on('error', () => undefined);
  let child: ChildProcess | null = null;

  const start = async () => {
    child = spawn('redis-server', args, { stdio: 'ignore' });
    await waitFor(() => client.ping(), { what: 'Redis to answer' });
  };
  const end = async () => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  };
  await start();
  return {
    url,
    client,
    pid: () => child?.pid ?? 0,
    kill: end,
    start,
    async stop() {
      client.disconnect();
      await end();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
