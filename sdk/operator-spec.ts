/** What `http` and `sql` tasks say beyond what every task says. Strings are templates unless something else stands here. */
import type { Json } from './protocol.ts';

export const HTTP_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;
export type HttpMethod = (typeof HTTP_METHODS)[number];

/** What a value of the answer must be. */
export type JsonExpectation = { equals: Json } | { matches: string } | { exists: boolean };

export interface HttpExpectation {
  /** `'200'`, or a class: `'2xx'`. Anything else fails the task. */
  status: string[];
  /** By path (`$.items[0].id`). */
  json: { [path: string]: JsonExpectation };
  /** A regular expression that the body must match; null: none. */
  bodyMatches: string | null;
}

/**
 * What of the answer becomes the result. `auto`: JSON where the answer says that it is JSON, text elsewhere, null where it has no body.
 * `{ path }`: a part of the JSON.
 */
export type HttpResult = 'auto' | 'json' | 'text' | 'status' | 'headers' | 'none' | { path: string };

/** How to come to the next page; all pages' items together are the result, a list. */
export type HttpPagination =
  /** A `Link` header with rel="next". */
  | { by: 'link'; items: string; maxPages: number }
  /** A value of the answer (`cursor`, a path) that the next request sends as the query parameter `parameter`. */
  | { by: 'cursor'; cursor: string; parameter: string; items: string; maxPages: number };

export interface HttpFields {
  kind: 'http';
  method: HttpMethod;
  /** Absolute; or null, with `connection`. */
  url: string | null;
  /** Id of a connection: its host, login and headers. Not a template. */
  connection: string | null;
  /** Below the connection's base; it can never leave its host. */
  path: string | null;
  headers: { [name: string]: string };
  query: { [name: string]: Json };
  /** Sent as JSON; null: none. At most one of `json`, `form` and `body`. */
  json: Json;
  form: { [name: string]: string } | null;
  body: string | null;
  /** Seconds for one attempt, its whole answer included. */
  timeout: number;
  /** Further attempts within one try, after connection errors and the statuses of `retryOn`. */
  requestRetries: number;
  /** Seconds before the first further attempt; doubled for each one after it, at most a minute, unless Retry-After says more. */
  requestRetryDelay: number;
  /** `'429'`, `'5xx'`. */
  retryOn: string[];
  /** POST and PATCH too may be sent again when it is not known whether the first one was carried out. */
  retryUnsafe: boolean;
  maxRedirects: number;
  /** False: any certificate will do. */
  verifyTls: boolean;
  expect: HttpExpectation;
  result: HttpResult;
  pagination: HttpPagination | null;
}

/** What the result of an `sql` task is; of the last statement that gives rows. `csv` and `ndjson` are one text. */
export const SQL_RESULTS = ['rows', 'row', 'value', 'count', 'csv', 'ndjson', 'none'] as const;
export type SqlResult = (typeof SQL_RESULTS)[number];

export const SQL_FORMATS = ['csv', 'ndjson'] as const;
export type SqlFormat = (typeof SQL_FORMATS)[number];

/** Rows to be copied into a table, after the statements. */
export interface SqlLoad {
  /** Relative to the DAG file; or null, with `input`. */
  file: string | null;
  /** The name of one of the task's `inputs`: a list of objects, or text in `format`. */
  input: string | null;
  /** `table` or `schema.table`. */
  table: string;
  format: SqlFormat;
  /** Column → header or key; null: each header is the name of a column. Not templated. */
  columns: { [column: string]: string } | null;
  /** Of CSV. */
  delimiter: string;
  /** What stands for NULL in CSV when it is not quoted. */
  nullText: string;
}

/** Where the rows of the last statement are written: a file of the worker. */
export interface SqlUnload {
  /** An absolute path. */
  path: string;
  format: SqlFormat;
}

export interface SqlFields {
  kind: 'sql';
  /** Id of a connection; its kind says which database it is. Not a template. */
  connection: string;
  /** Statements, one after another; each may hold several. */
  sql: string[];
  /** A file with statements, relative to the DAG file; they come before `sql`. Not templated inside. */
  file: string | null;
  /** By number for `$1`, or by name for `:name`. The database gets them apart from the statement. */
  parameters: Json[] | { [name: string]: Json };
  /** False: all statements and the load are one transaction. */
  autocommit: boolean;
  result: SqlResult;
  /** More rows fail the task. */
  maxRows: number;
  load: SqlLoad | null;
  unload: SqlUnload | null;
}
