/** Variables and connections, as a dispatch needs them: by name, still sealed. */
import type pg from 'pg';
import type { Json } from '#sdk/protocol.ts';

export interface StoredVariable {
  key: string;
  value: string | null;
  sealed: Buffer | null;
}
export interface StoredConnection {
  id: string;
  kind: string;
  host: string | null;
  port: number | null;
  schema: string | null;
  login: string | null;
  extra: { [key: string]: Json };
  sealed: Buffer | null;
}

export async function readVariables(pool: pg.Pool, keys: readonly string[]): Promise<StoredVariable[]> {
  if (keys.length === 0) return [];
  const { rows } = await pool.query<StoredVariable>({
    name: 'read_variables',
    text: `select key, value, sealed from variable where key = any ($1::text[])`,
    values: [keys],
  });
  return rows;
}

export async function readConnections(pool: pg.Pool, ids: readonly string[]): Promise<StoredConnection[]> {
  if (ids.length === 0) return [];
  const { rows } = await pool.query<StoredConnection>({
    name: 'read_connections',
    text: `select id, kind, host, port, schema, login, extra, sealed from connection where id = any ($1::text[])`,
    values: [ids],
  });
  return rows;
}
