/** A Redis of the benchmark's own on a unix socket, without persistence: the fastest it can be. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { versionOf } from './machine.ts';

export interface BenchRedis {
  socket: string;
  pid: number;
  version: string;
  stop(): Promise<void>;
}

/** Null when there is no redis-server on this machine. */
export async function startRedis(dir: string): Promise<BenchRedis | null> {
  const version = versionOf('redis-server');
  if (version === null) return null;
  const socket = join(dir, 'redis.sock');
  const settings = { port: 0, unixsocket: socket, save: '', appendonly: 'no', dir, 'maxmemory-policy': 'noeviction' };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const child = spawn('redis-server', args, { stdio: ['ignore', 'ignore', 2] });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  while (!existsSync(socket)) {
    if (child.exitCode !== null) throw new Error(`redis-server ended with ${child.exitCode}.`);
    await sleep(10);
  }
  return {
    socket,
    pid: child.pid ?? 0,
    version: /v=(\S+)/.exec(version)?.[1] ?? version,
    async stop() {
      child.kill();
      await exited;
    },
  };
}
