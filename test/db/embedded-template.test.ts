import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startFromTemplate } from '#db/embedded-template.ts';
import type { EmbeddedPostgres } from '#db/embedded.ts';

let home: string;
let started: EmbeddedPostgres[];
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'millrace-template-'));
  // As root PostgreSQL runs as another user, who must be able to pass.
  chmodSync(home, 0o755);
  started = [];
});
afterEach(async () => {
  for (const server of started) await server.stop();
  rmSync(home, { recursive: true, force: true });
});

let prepared = 0;
async function start(name: string): Promise<EmbeddedPostgres> {
  const server = await startFromTemplate({
    cache: join(home, 'cache'),
    dataDir: join(home, name, 'postgres'),
    onPrepare: () => prepared++,
  });
  started.push(server);
  return server;
}

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query({ text, rowMode: 'array' })).rows.flat();
  } finally {
    await client.end();
  }
}

describe('startFromTemplate', () => {
  it('gives each caller a migrated server of its own, and makes the template once', async () => {
    const first = await start('one');
    const second = await start('two');
    expect(prepared).toBe(1);
    await query(first.url, 'create table mine as select count(*)::int as dags from dag');
    expect(await query(first.url, 'select dags from mine')).toEqual([0]);
    expect(await query(second.url, `select to_regclass('mine')::text`)).toEqual([null]);
    expect(await query(second.url, `select datname from pg_database where datname = 'warehouse'`)).toEqual([
      'warehouse',
    ]);
    expect(readdirSync(join(home, 'cache'))).toHaveLength(1);
  });

  it('two that find no template at the same time both start', async () => {
    const servers = await Promise.all([start('one'), start('two')]);
    for (const { url } of servers) expect(await query(url, 'select count(*)::int from dag')).toEqual([0]);
    expect(readdirSync(join(home, 'cache'))).toHaveLength(1);
  });
});
