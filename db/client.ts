import type { Socket } from 'node:net';
import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import type { DB } from './types.ts';

export type Db = Kysely<DB>;

export interface DatabaseOptions {
  /** Connections in the pool. */
  max?: number;
  applicationName?: string;
  /** Server settings of every connection, e.g. `{ plan_cache_mode: 'force_generic_plan' }`. */
  settings?: { [name: string]: string };
  /** So long a connection may be silent while somebody waits for it; then it is dead. Longer than the longest statement. */
  silenceMs?: number;
  /** An idle connection broke; the pool replaces it. */
  onIdleError?: (error: Error) => void;
}

const SILENCE_MS = 70_000;
/** Also for whoever waits until others give a connection back. */
const CONNECT_MS = 30_000;
const KEEP_ALIVE_MS = 10_000;

export interface Database {
  db: Db;
  pool: pg.Pool;
  url: string;
  close(): Promise<void>;
}

const INT8 = 20;
const INT8_ARRAY = 1016;

/** Run ids stay below 2^53 (see next_run_id), so int8 is a number everywhere. */
export const typeParsers: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') => {
    if (format === 'binary') return pg.types.getTypeParser(oid, 'binary');
    if (oid === INT8) return Number;
    if (oid === INT8_ARRAY) return parseInt8Array;
    return pg.types.getTypeParser(oid, 'text');
  }) as typeof pg.types.getTypeParser,
};

function parseInt8Array(text: string): (number | null)[] {
  if (text === '{}') return [];
  return text
    .slice(1, -1)
    .split(',')
    .map((item) => (item === 'NULL' ? null : Number(item)));
}

export function createDatabase(url: string, options: DatabaseOptions = {}): Database {
  const settings = Object.entries(options.settings ?? {}).map(([name, value]) => `-c ${name}=${value}`);
  const pool = new pg.Pool({
    connectionString: url,
    max: options.max ?? 10,
    application_name: options.applicationName ?? 'millrace',
    types: typeParsers,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    connectionTimeoutMillis: CONNECT_MS,
    ...(settings.length > 0 ? { options: settings.join(' ') } : {}),
  });
  // A connection that breaks while somebody has it tells its queries. The event beside that, unheard, would end the process.
  pool.on('connect', (client) => {
    client.on('error', () => undefined);
    endWhenSilent(client, options.silenceMs ?? SILENCE_MS);
  });
  const db = new Kysely<DB>({ dialect: new PostgresDialect({ pool }) });
  let closing: Promise<void> | undefined;
  // The pool's end does not wait for its sockets: what breaks after it is nobody's trouble.
  pool.on('error', (error) => (closing ? undefined : options.onIdleError?.(error)));
  return { db, pool, url, close: () => (closing ??= db.destroy().then(() => (pool.ended ? undefined : pool.end()))) };
}

/**
 * A line that swallows everything says nothing of it, and whoever waits behind it would wait for ever. The driver's own time limit gives
 * the query up and the connection back to the pool, for the next to wait on.
 */
function endWhenSilent(client: pg.PoolClient, ms: number): void {
  const { stream } = (client as unknown as { connection: { stream: Socket } }).connection;
  stream.setTimeout(ms, () =>
    stream.destroy(new Error(`Connection terminated: the database did not answer within ${ms / 1000} s.`)),
  );
}
