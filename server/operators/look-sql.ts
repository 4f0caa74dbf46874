/** One look of a sensor into a database. */
import pg from 'pg';
import type { ConnectionValue } from '#sdk/protocol.ts';
import type { Look } from '#sdk/poke.ts';
import type { SqlTarget } from '#sdk/waiting-spec.ts';

const TIMEOUT_MS = 20_000;
const KINDS = new Set(['postgres', 'postgresql']);

export async function lookSql(
  { connection: id, query, parameters }: SqlTarget,
  connections: { readonly [id: string]: ConnectionValue },
): Promise<Look> {
  const connection = connections[id];
  if (!connection) throw new Error(`There is no connection '${id}'.`);
  if (!KINDS.has(connection.kind.toLowerCase()))
    throw new Error(`The connection '${id}' is of kind '${connection.kind}'; an sql sensor needs one of postgres.`);
  const client = new pg.Client({
    host: connection.host ?? 'localhost',
    port: connection.port ?? 5432,
    database: connection.schema ?? undefined,
    user: connection.login ?? undefined,
    password: connection.password ?? undefined,
    ssl: connection.extra['sslmode'] === 'require' || connection.extra['ssl'] === true,
    connectionTimeoutMillis: TIMEOUT_MS,
    query_timeout: TIMEOUT_MS,
    statement_timeout: TIMEOUT_MS,
    application_name: 'millrace sensor',
  });
  // A connection that breaks while nobody asks would end the process
  client.on('error', () => undefined);
  try {
    await client.connect();
  } catch (error) {
    await client.end().catch(() => undefined);
    return { failed: `The database of connection '${id}' cannot be reached: ${messageOf(error)}` };
  }
  try {
    // A look changes nothing
    await client.query('begin read only');
    const { rows } = await client.query<unknown[]>({ text: query, values: parameters, rowMode: 'array' });
    const cell = rows[0]?.[0];
    return isTrue(cell)
      ? { found: true, value: plain(cell) }
      : { found: false, note: rows[0] ? `it gave ${String(cell)}` : 'no row' };
  } catch (error) {
    return { failed: `The query failed: ${messageOf(error)}` };
  } finally {
    await client.end().catch(() => undefined);
  }
}

const isTrue = (cell: unknown): boolean => Boolean(cell) && cell !== '0';
const plain = (cell: unknown) => (cell instanceof Date ? cell.toISOString() : JSON.parse(JSON.stringify(cell)));
const messageOf = (error: unknown): string => (error instanceof Error ? error.message || error.name : String(error));
