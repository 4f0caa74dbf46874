/** What an `sql` task needs of a database. A further driver is one more file and an entry in `drivers`. */
import type { ConnectionValue, Json } from '#sdk/protocol.ts';
import type { BoundStatement } from '../../operators/sql-statements.ts';

export interface SqlSessionOptions {
  connection: ConnectionValue;
  applicationName: string;
  /** Aborts what the server is doing for the session. */
  signal: AbortSignal;
}

/** The columns are told before the first row. */
export interface RowSink {
  columns(names: readonly string[]): void;
  /** Exact: what JSON cannot hold (NUMERIC, bigint, timestamps …) is the database's text. A promise holds further rows back. */
  row(values: readonly Json[]): void | Promise<void>;
}

export interface StatementResult {
  /** `SELECT`, `INSERT`, …; as the server names it. */
  command: string;
  /** Rows given or changed; null where the command has no such count. */
  rowCount: number | null;
  hasRows: boolean;
}

export interface CopyTarget {
  table: string;
  columns: readonly string[];
}

/** One connection. Rejections are SqlErrors. */
export interface SqlSession {
  run(statement: BoundStatement, sink: RowSink, timeoutMs: number | null): Promise<StatementResult>;
  begin(): Promise<void>;
  commit(): Promise<void>;
  rollback(): Promise<void>;
  /** Bulk load of rows (null is NULL); resolves to their number. */
  load(target: CopyTarget, rows: AsyncIterable<readonly (string | null)[]>, timeoutMs: number | null): Promise<number>;
  close(): Promise<void>;
}

export interface SqlDriver {
  connect(options: SqlSessionOptions): Promise<SqlSession>;
}

/** What the database said. */
export class SqlError extends Error {
  /** SQLSTATE; null: it was not the server that spoke. */
  readonly code: string | null;
  /** The connection failed, not the statement. */
  readonly unreachable: boolean;
  constructor(message: string, { code = null, unreachable = false, cause }: SqlErrorOptions = {}) {
    super(message, { cause });
    this.name = 'SqlError';
    this.code = code;
    this.unreachable = unreachable;
  }
}
interface SqlErrorOptions {
  code?: string | null;
  unreachable?: boolean;
  cause?: unknown;
}
