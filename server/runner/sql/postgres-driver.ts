import type { Duplex } from 'node:stream';
import type { ConnectionOptions } from 'node:tls';
import pg from 'pg';
import type { ConnectionValue, Json } from '#sdk/protocol.ts';
import type { BoundStatement } from '../../operators/sql-statements.ts';
import { cancelOnServer } from './postgres-cancel.ts';
import { createCopyQuery } from './postgres-copy.ts';
import { copyLine, parameterOf, quotedTable, readerOf } from './postgres-values.ts';
import { SqlError, type RowSink, type SqlDriver, type SqlSession, type StatementResult } from './sql-driver.ts';

const CONNECT_MS = 30_000;
/** Beyond the task's time limit, which is kept from outside: the server's own is there for the case that nobody can ask it to stop. */
const TIMEOUT_MARGIN_MS = 2_000;
/** The server looks so often whether anybody still listens. */
const SET_UP = [
  `set timezone = 'UTC'`,
  `set datestyle = 'ISO, MDY'`,
  `select set_config('client_connection_check_interval', '5s', false)
    where exists (select from pg_settings where name = 'client_connection_check_interval')`,
];

/** What pg's client has and its types do not say. */
type Client = pg.Client & { processID: number; secretKey: number; connection: { stream: Duplex } };

export const postgresDriver: SqlDriver = {
  async connect({ connection, applicationName, signal }) {
    signal.throwIfAborted();
    const config = configOf(connection, applicationName);
    const client = new pg.Client(config) as Client;
    // A query that is under way hears of it; there is nobody else to tell
    client.on('error', () => undefined);
    try {
      await client.connect();
      // What a server does not know must not end the task: e.g. it cannot look after its clients on this system
      for (const text of SET_UP) await client.query(text).catch(() => undefined);
    } catch (error) {
      await client.end().catch(() => undefined);
      throw errorOf(error, `Cannot connect to ${config.host}:${config.port}/${config.database}`);
    }
    return createSession(client, config, signal);
  },
};

interface Config extends pg.ClientConfig {
  host: string;
  port: number;
  ssl: ConnectionOptions | false;
}

function configOf(
  { host, port, schema, login, password, extra, id }: ConnectionValue,
  applicationName: string,
): Config {
  if (!host) throw new SqlError(`The connection '${id}' has no host.`);
  return {
    host,
    port: port ?? 5432,
    database: schema ?? login ?? 'postgres',
    user: login ?? 'postgres',
    password: password ?? '',
    ssl: tlsOf(extra),
    application_name: applicationName,
    connectionTimeoutMillis: CONNECT_MS,
    keepAlive: true,
    ...(typeof extra['options'] === 'string' && { options: extra['options'] }),
  };
}

/** `sslmode` as of libpq: disable (as when absent), require, verify-ca, verify-full (also said by `ssl: true`); with `ca`, `cert`, `key` as PEM. */
function tlsOf(extra: { [key: string]: Json }): ConnectionOptions | false {
  const mode = extra['sslmode'] ?? (extra['ssl'] === true ? 'verify-full' : undefined);
  if (mode === undefined || mode === 'disable' || mode === 'allow' || mode === 'prefer') return false;
  const pem = Object.fromEntries(
    ['ca', 'cert', 'key'].flatMap((name) => (typeof extra[name] === 'string' ? [[name, extra[name]]] : [])),
  );
  if (mode === 'verify-full') return { ...pem, rejectUnauthorized: true };
  if (mode === 'verify-ca') return { ...pem, rejectUnauthorized: true, checkServerIdentity: () => undefined };
  return { ...pem, rejectUnauthorized: false };
}

function createSession(client: Client, config: Config, signal: AbortSignal): SqlSession {
  let closed = false;
  const cancel = () => {
    const { host, port, ssl } = config;
    cancelOnServer({ host, port, ssl, processId: client.processID, secretKey: client.secretKey })
      // Then the line is cut: the server sees that within seconds
      .catch(() => client.connection.stream.destroy());
  };
  signal.addEventListener('abort', cancel);

  const limit = (timeoutMs: number | null) =>
    timeoutMs === null
      ? Promise.resolve()
      : client.query(`set statement_timeout = ${Math.max(1, Math.ceil(timeoutMs + TIMEOUT_MARGIN_MS))}`);
  const simple = async (text: string) => {
    await client.query(text).catch((error: unknown) => {
      throw errorOf(error, text);
    });
  };

  return {
    async run(statement, sink, timeoutMs) {
      signal.throwIfAborted();
      try {
        await limit(timeoutMs);
        return await runStatement(client, statement, sink, cancel);
      } catch (error) {
        throw errorOf(error);
      }
    },
    async load({ table, columns }, rows, timeoutMs) {
      signal.throwIfAborted();
      const names = columns.map((name) => pg.escapeIdentifier(name)).join(', ');
      const query = createCopyQuery(
        `copy ${quotedTable(table)} (${names}) from stdin with (format csv)`,
        copyLines(rows),
      );
      try {
        await limit(timeoutMs);
        client.query(query as unknown as pg.Submittable);
        return await query.finished;
      } catch (error) {
        throw errorOf(error, `Loading into ${table}`);
      }
    },
    begin: () => simple('begin'),
    commit: () => simple('commit'),
    rollback: () => simple('rollback'),
    async close() {
      if (closed) return;
      closed = true;
      signal.removeEventListener('abort', cancel);
      await client.end().catch(() => undefined);
    },
  };
}

async function* copyLines(rows: AsyncIterable<readonly (string | null)[]>): AsyncGenerator<string> {
  for await (const row of rows) yield copyLine(row);
}

/** Texts as the server sends them. */
const RAW = { getTypeParser: () => (text: string) => text } as unknown as pg.CustomTypesConfig;

/** `giveUp` stops a statement whose rows nobody wants any more. */
function runStatement(
  client: Client,
  { text, values }: BoundStatement,
  sink: RowSink,
  giveUp: () => void,
): Promise<StatementResult> {
  const config: pg.QueryArrayConfig = { text, values: values.map(parameterOf), rowMode: 'array', types: RAW };
  const query = new pg.Query(config);
  const { stream } = client.connection;
  let readers: ((text: string) => Json)[] | null = null;
  let problem: Error | null = null;
  let held = 0;

  const onRow = (row: (string | null)[], result?: pg.ResultBuilder) => {
    if (problem) return;
    try {
      readers ??= describe(result, sink);
      const given = sink.row(row.map((item, index) => (item === null ? null : (readers?.[index]?.(item) ?? null))));
      if (given) hold(given);
    } catch (error) {
      stop(error as Error);
    }
  };
  const stop = (error: Error) => {
    if (!problem) giveUp();
    problem ??= error;
  };
  /** Nothing more is read while the sink is busy. */
  const hold = (until: Promise<void>) => {
    held += 1;
    stream.pause();
    until.catch(stop).finally(() => {
      held -= 1;
      if (held === 0) stream.resume();
    });
  };
  return new Promise((resolve, reject) => {
    query.on('row', onRow);
    query.on('error', (error: Error) => reject(problem ?? error));
    query.on('end', (result: pg.ResultBuilder) => {
      if (problem) return reject(problem);
      const hasRows = result.fields.length > 0;
      try {
        if (hasRows && !readers) describe(result, sink);
      } catch (error) {
        return reject(error as Error);
      }
      resolve({ command: result.command ?? '', rowCount: result.rowCount, hasRows });
    });
    client.query(query);
  });
}

function describe(result: pg.ResultBuilder | undefined, sink: RowSink): ((text: string) => Json)[] {
  const fields = result?.fields ?? [];
  sink.columns(fields.map((field) => field.name));
  return fields.map((field) => readerOf(field.dataTypeID));
}

const NETWORK =
  /^(ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_|EHOSTUNREACH|ENETUNREACH|ERR_TLS|.*(CERT|SELF_SIGNED|UNABLE_TO))/;
const OF_CLIENT =
  /^(Connection terminated|timeout e|Client (has|was)|The server does not support SSL|There was an error establishing|SASL|SCRAM)/;
const NOT_REACHED = /^(08|57P0[123]|53300)/;

function errorOf(error: unknown, doing?: string): Error {
  if (error instanceof SqlError || !(error instanceof Error)) return error as Error;
  const { code, detail, hint, position } = error as Partial<pg.DatabaseError> & Error;
  const isServer = error instanceof pg.DatabaseError;
  if (!isServer && !NETWORK.test(code ?? '') && !OF_CLIENT.test(error.message)) return error;
  const more = [detail, hint && `Hint: ${hint}`, position && `At character ${position}.`].filter(Boolean);
  const unreachable = !isServer || NOT_REACHED.test(code ?? '');
  const text = [error.message, ...more].join(' ');
  return new SqlError(doing && (unreachable || !isServer || doing.startsWith('Loading')) ? `${doing}: ${text}` : text, {
    code: isServer ? (code ?? null) : null,
    unreachable,
    cause: error,
  });
}
