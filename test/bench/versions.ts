import { readFileSync } from 'node:fs';
import type pg from 'pg';

export function packageVersion(name: string): string {
  const file = new URL(`../../node_modules/${name}/package.json`, import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

const TOLD = ['fsync', 'synchronous_commit', 'full_page_writes', 'wal_compression', 'shared_buffers', 'max_wal_size'];

/** The settings that durability and speed hang on, as the server has them. */
export async function settingsOf(client: pg.Client): Promise<{ [name: string]: string }> {
  const { rows } = await client.query<{ name: string; value: string }>(
    `select name, current_setting(name) as value from pg_settings where name = any($1) order by array_position($1, name)`,
    [TOLD],
  );
  return Object.fromEntries(rows.map(({ name, value }) => [name, value]));
}
