import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '#db/embedded.ts';
import { isPostgres } from '#db/embedded-postmaster.ts';
import { waitFor } from '../helpers/wait-for.ts';

let home: string;
let started: EmbeddedPostgres[];
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'millrace-embedded-'));
  started = [];
});
afterEach(async () => {
  for (const server of started) await server.stop();
  rmSync(home, { recursive: true, force: true });
});

async function start(): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ dataDir: join(home, 'postgres'), ephemeral: true });
  started.push(server);
  return server;
}

async function query(url: string, text: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query({ text, rowMode: 'array' })).rows[0]?.[0];
  } finally {
    await client.end();
  }
}

/** A process that starts the server in our folder and then waits to be killed. */
async function startInAnotherProcess(): Promise<{ pid: number; kill(): Promise<void> }> {
  const code = `
    import { startEmbeddedPostgres } from '${join(import.meta.dirname, '../../db/embedded.ts')}';
    const server = await startEmbeddedPostgres({ dataDir: '${join(home, 'postgres')}', ephemeral: true });
    console.log(server.pid); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], {
    cwd: join(import.meta.dirname, '../..'),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const pid = Number(await new Promise((resolve) => child.stdout.once('data', resolve)));
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  return { pid, kill: () => (child.kill('SIGKILL'), exited) };
}

describe('startEmbeddedPostgres', () => {
  it('keeps its data over a stop and a start, behind a password', async () => {
    const first = await start();
    expect(first.adopted).toBe(false);
    await query(first.url, 'create table kept (x int)');
    await first.stop();
    await expect(query(first.url, 'select 1')).rejects.toThrow();
    const second = await start();
    expect(await query(second.url, 'select count(*)::int from kept')).toBe(0);
    const wrong = new URL(second.url);
    wrong.password = 'wrong';
    await expect(query(wrong.href, 'select 1')).rejects.toThrow(/password/);
    expect(statSync(join(home, 'postgres', 'password')).mode & 0o077).toBe(0);
  });

  it('is adopted after its parent was killed with SIGKILL, and can then be stopped', async () => {
    const other = await startInAnotherProcess();
    await other.kill();
    const adopted = await start();
    expect(adopted).toMatchObject({ adopted: true, pid: other.pid });
    expect(await query(adopted.url, 'select 1')).toBe(1);
    await adopted.stop();
    // Whether init has reaped it yet is not ours to say.
    expect(await isPostgres(other.pid)).toBe(false);
    await expect(query(adopted.url, 'select 1')).rejects.toThrow();
  });

  it('recovers after the server itself was killed with SIGKILL, at once', async () => {
    const first = await start();
    await query(first.url, 'create table survived as select 1 as x');
    await query(first.url, 'checkpoint');
    process.kill(first.pid, 'SIGKILL');
    const second = await start();
    expect(second.adopted).toBe(false);
    expect(await query(second.url, 'select x from survived')).toBe(1);
  });

  it('begins anew when initdb was interrupted', async () => {
    const other = spawn('mkdir', ['-p', join(home, 'postgres', 'cluster.new', 'base')]);
    await waitFor(() => other.exitCode === 0);
    const server = await start();
    expect(await query(server.url, 'select 1')).toBe(1);
  });
});
