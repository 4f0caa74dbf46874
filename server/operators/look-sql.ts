/** One look of a sensor into a database. */
import { anyOf } from '../abort.ts';
import type { ConnectionValue, Json } from '#sdk/protocol.ts';
import type { Look } from '#sdk/poke.ts';
import type { SqlTarget } from '#sdk/waiting-spec.ts';
import { driverOf } from '../runner/sql/drivers.ts';
import { NO_ROWS } from '../runner/sql/row-sinks.ts';
import type { RowSink, SqlSession } from '../runner/sql/sql-driver.ts';
import { namedConnection } from './connection-of.ts';

const TIMEOUT_MS = 20_000;

export async function lookSql(
  target: SqlTarget,
  connections: { readonly [id: string]: ConnectionValue },
  signal: AbortSignal,
): Promise<Look> {
  const { connection: id } = target;
  const connection = namedConnection(connections, id);
  const driver = driverOf(connection.kind);
  const within = anyOf([signal], { timeoutMs: TIMEOUT_MS });
  const failed = (what: string, error: unknown): Look => {
    if (signal.aborted) return { found: false, note: 'the look was stopped' };
    return {
      failed: `${what}: ${within.signal.aborted ? `no answer within ${TIMEOUT_MS / 1000} s` : messageOf(error)}`,
    };
  };
  let session: SqlSession | undefined;
  try {
    session = await driver.connect({ connection, applicationName: 'millrace sensor', signal: within.signal });
    return seen(await firstCell(session, target));
  } catch (error) {
    return failed(session ? 'The query failed' : `The database of connection '${id}' cannot be reached`, error);
  } finally {
    within.release();
    await session?.close();
  }
}

/** Undefined: there is no row. */
async function firstCell(session: SqlSession, { query, parameters }: SqlTarget): Promise<Json | undefined> {
  // A look changes nothing
  await session.run({ text: 'begin read only', values: [] }, NO_ROWS, TIMEOUT_MS);
  const enough = new Error('One row is enough.');
  let cell: Json | undefined;
  const sink: RowSink = {
    columns: () => undefined,
    row([first = null]) {
      if (cell !== undefined) throw enough;
      cell = first;
    },
  };
  try {
    await session.run({ text: query, values: parameters }, sink, TIMEOUT_MS);
  } catch (error) {
    if (error !== enough) throw error;
  }
  return cell;
}

function seen(cell: Json | undefined): Look {
  if (cell === undefined) return { found: false, note: 'no row' };
  const shown = typeof cell === 'string' ? cell : JSON.stringify(cell);
  return isTrue(cell) ? { found: true, value: cell } : { found: false, note: `it gave ${shown}` };
}

/** Large and exact numbers come as texts. */
const isTrue = (cell: Json): boolean => Boolean(cell) && !(typeof cell === 'string' && /^-?0+(\.0+)?$/.test(cell));
const messageOf = (error: unknown): string => (error instanceof Error ? error.message || error.name : String(error));
