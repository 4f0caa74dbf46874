/** Runs an sql task: statements in a transaction, a bulk load after them, rows as its result or into a file. */
import { readFile } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { randomUUID } from 'node:crypto';
import type { SqlLaunch } from '../operators/launch.ts';
import { bindStatements, type BoundStatement } from '../operators/sql-statements.ts';
import type { Json } from '#sdk/protocol.ts';
import type { Mask } from './mask.ts';
import { OperatorFailure, type OperatorHost } from './operator-host.ts';
import { bundlePath } from './sql/bundle-path.ts';
import { driverOf } from './sql/drivers.ts';
import { openLoad } from './sql/load-source.ts';
import { createFileSink, createResultSink, NO_ROWS, type FileSink, type ResultSink } from './sql/row-sinks.ts';
import { SqlError, type SqlSession } from './sql/sql-driver.ts';

type Results = { [key: string]: Json };

export async function runSql(launch: SqlLaunch, host: OperatorHost): Promise<Results> {
  const startedAt = performance.now();
  const left = () =>
    launch.executionTimeout === null ? null : launch.executionTimeout * 1000 - (performance.now() - startedAt);
  const statements = await statementsOf(launch, host);
  const { connection, applicationName } = launch;
  const session = await driverOf(connection.kind)
    .connect({ connection, applicationName, signal: host.signal })
    .catch((error: unknown) => {
      throw failureOf(error);
    });
  host.say(`Connected to ${connection.id} (${connection.host ?? ''}/${connection.schema ?? ''}).`);
  try {
    return await inTransaction(session, launch.autocommit, host, () =>
      runAll({ session, launch, host, statements, left }),
    );
  } catch (error) {
    throw failureOf(error);
  } finally {
    await session.close();
  }
}

async function statementsOf(launch: SqlLaunch, host: OperatorHost): Promise<BoundStatement[]> {
  const { file, sql, parameters } = launch;
  const texts = [...sql];
  if (file !== null)
    texts.unshift(
      await readFile(bundlePath(host.bundleDir, file), 'utf8').catch((error: Error) => {
        if (error instanceof OperatorFailure) throw error;
        throw invalid(`'${file}' is not in the DAG's bundle. Name it in the DAG's 'files'.`);
      }),
    );
  try {
    return texts.flatMap((text) => bindStatements(text, parameters));
  } catch (error) {
    throw error instanceof OperatorFailure ? error : invalid((error as Error).message);
  }
}

const invalid = (message: string) => new OperatorFailure('database_error', message, { retryable: false });

async function inTransaction<T>(
  session: SqlSession,
  autocommit: boolean,
  host: OperatorHost,
  work: () => Promise<T>,
): Promise<T> {
  if (autocommit) return work();
  await session.begin();
  try {
    const result = await work();
    host.signal.throwIfAborted();
    await session.commit();
    host.say('Committed.');
    return result;
  } catch (error) {
    // The line may be gone: then the server has rolled it back by itself
    await session.rollback().then(
      () => host.say('Rolled back.'),
      () => undefined,
    );
    throw error;
  }
}

interface Job {
  session: SqlSession;
  launch: SqlLaunch;
  host: OperatorHost;
  statements: BoundStatement[];
  /** Milliseconds of the time limit that are left; null: no limit. */
  left(): number | null;
}

async function runAll(job: Job): Promise<Results> {
  const { launch, statements } = job;
  const { result, maxRows, unload, load } = launch;
  if (unload && !isAbsolute(unload.path)) throw invalid(`unload.path: '${unload.path}' is not an absolute path.`);
  const file = unload && (await createFileSink(unload, randomUUID()));
  try {
    const { kept, count } = await runStatements(job, statements, file, () => createResultSink(result, maxRows));
    const loaded = load ? await loadRows(job) : null;
    const rowCount = loaded ?? count ?? 0;
    const written = file ? { path: unload?.path ?? '', ...(await file.finish()) } : null;
    if (written) job.host.say(`Wrote ${written.rows} rows (${written.bytes} bytes) to ${written.path}.`);
    if (result === 'none') return {};
    const value = written ?? (load || result === 'count' ? rowCount : kept ? kept.result() : rowCount);
    return { ...(value !== null && { return_value: value }), row_count: rowCount };
  } catch (error) {
    await file?.discard();
    throw error;
  }
}

/** The rows of the last statement that gives any are kept; with a file, only the very last statement's are written. */
async function runStatements(
  { session, host, left }: Job,
  statements: BoundStatement[],
  file: FileSink | null,
  createSink: () => ResultSink,
): Promise<{ kept: ResultSink | null; count: number | null }> {
  let kept: ResultSink | null = null;
  let count: number | null = null;
  for (const [index, statement] of statements.entries()) {
    const isLast = index === statements.length - 1;
    const own = file ? null : createSink();
    const sink = own ?? (isLast ? file : null) ?? NO_ROWS;
    const place = statements.length > 1 ? `[${index + 1}/${statements.length}] ` : '';
    host.say(`${place}${shown(statement, host.mask)}`);
    const started = performance.now();
    const done = await session.run(statement, sink, left());
    host.say(
      `→ ${done.command} ${done.rowCount ?? ''} (${Math.round(performance.now() - started)} ms)`.replace(/ +/g, ' '),
    );
    if (done.hasRows && own) kept = own;
    count = done.rowCount ?? count;
  }
  return { kept, count };
}

/** Never the parameters: they may be anything. */
function shown({ text, values }: BoundStatement, mask: Mask): string {
  const line = text.replaceAll(/\s+/g, ' ');
  const cut = mask.shorten(line, 500);
  return values.length > 0 ? `${cut} (${values.length} parameter${values.length > 1 ? 's' : ''})` : cut;
}

async function loadRows({ session, launch, host, left }: Job): Promise<number> {
  const { load } = launch;
  if (!load) return 0;
  const source = await openLoad(load, host);
  if (source.columns.length === 0) {
    host.say(`Nothing to load: ${source.name} has no rows.`);
    return 0;
  }
  const started = performance.now();
  const count = await session.load({ table: load.table, columns: source.columns }, source.rows, left());
  host.say(
    `Loaded ${count} rows from ${source.name} into ${load.table} (${Math.round(performance.now() - started)} ms)`,
  );
  return count;
}

function failureOf(error: unknown): Error {
  if (!(error instanceof SqlError)) return error as Error;
  const { code, unreachable, message } = error;
  return new OperatorFailure(unreachable ? 'database_unreachable' : 'database_error', message, {
    evidence: code === null ? {} : { sqlstate: code },
    cause: error,
  });
}
