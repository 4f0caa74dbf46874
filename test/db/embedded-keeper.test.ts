import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, expect, it } from 'vitest';
import { keepEmbeddedPostgres, type KeptPostgres } from '#db/embedded-keeper.ts';
import { startEmbeddedPostgres } from '#db/embedded.ts';
import { isPostgres } from '#db/embedded-postmaster.ts';
import { waitFor } from '../helpers/wait-for.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function query(url: string, text: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return (await client.query<unknown[]>({ text, rowMode: 'array' })).rows[0]?.[0];
  } finally {
    await client.end().catch(() => undefined);
  }
}

function newHome(): string {
  const home = mkdtempSync(join(tmpdir(), 'millrace-keeper-'));
  closing.push(() => rmSync(home, { recursive: true, force: true }));
  return join(home, 'postgres');
}

async function keep(dataDir: string): Promise<KeptPostgres & { restarts: number[] }> {
  const restarts: number[] = [];
  const kept = await keepEmbeddedPostgres({
    dataDir,
    ephemeral: true,
    onRestart: (pid) => restarts.push(pid),
    onError: (error) => {
      throw error;
    },
  });
  closing.push(kept.stop);
  return { ...kept, restarts };
}

it('is up again at the same address whenever its postmaster was killed, and not after it was stopped', async () => {
  const kept = await keep(newHome());
  await query(kept.url, 'create table survived as select 1 as x');
  await query(kept.url, 'checkpoint');
  for (const nth of [1, 2]) {
    process.kill(kept.pid(), 'SIGKILL');
    await waitFor(() => kept.restarts.length === nth);
    expect(await query(kept.url, 'select x from survived')).toBe(1);
  }
  const last = kept.pid();
  await kept.stop();
  expect(await isPostgres(last)).toBe(false);
  await expect(query(kept.url, 'select 1')).rejects.toThrow();
  expect(kept.restarts).toHaveLength(2);
});

it('keeps a server that it took over, and leaves one alone that lost but a connection', async () => {
  const dataDir = newHome();
  const first = await startEmbeddedPostgres({ dataDir, ephemeral: true });
  const kept = await keep(dataDir);
  expect(kept).toMatchObject({ adopted: true, url: first.url });
  const keepers = () =>
    query(kept.url, `select count(*)::int from pg_stat_activity where application_name = 'millrace keeper'`);
  await waitFor(async () => (await keepers()) === 1);
  await query(
    kept.url,
    `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'millrace keeper'`,
  );
  await waitFor(async () => (await keepers()) === 1);
  expect([kept.pid(), kept.restarts]).toEqual([first.pid, []]);
  process.kill(first.pid, 'SIGKILL');
  await waitFor(() => kept.restarts.length === 1);
  expect(await query(kept.url, 'select 1')).toBe(1);
});
