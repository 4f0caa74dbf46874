/** What authors write for `bash`, `python`, `http` and `sql` tasks. */
import type { CodeOptions } from './kubernetes-options.ts';
import type { EachOf } from './lists.ts';
import type { HttpMethod, HttpResult, JsonExpectation, SqlFormat, SqlResult } from './operator-spec.ts';
import type { Json } from './protocol.ts';
import type { Duration, Inputs } from './task-types.ts';

export interface BashOptions extends CodeOptions {
  /** Templated. */
  command: string;
  /** Templated values. */
  env?: { [name: string]: string };
  /** Results of other tasks, given as environment variables: strings as they are, the rest as JSON. */
  inputs?: Inputs | EachOf;
  /** The task is skipped when the command exits with it (default 99); null: never. */
  skipOnExitCode?: number | null;
}
export type PythonOptions = CodeOptions &
  PythonCode & {
    /** Results of other tasks, given as keyword arguments. */
    inputs?: Inputs | EachOf;
  };
export type PythonCode = {
  /** Further keyword arguments, templated in every string. */
  args?: { [name: string]: Json };
} & (
  | { /** `file.py:function`, beside the DAG file. */ callable: string; source?: never }
  | { /** Inline Python. */ source: string; callable?: never }
);

/** A status (200) or a class of them ('5xx'). */
type Status = number | `${1 | 2 | 3 | 4 | 5}${'xx' | 'XX'}`;

interface Where {
  /** Absolute. Templated, as every text here. */
  url: string;
  connection?: never;
  path?: never;
}
interface BelowConnection {
  url?: never;
  /** Id of a connection: its host, login and headers. */
  connection: string;
  /** Below the connection's base. */
  path?: string;
}

export type HttpOptions = CodeOptions & {
  inputs?: Inputs;
  method?: HttpMethod;
  headers?: { [name: string]: string };
  /** A list is a parameter more than once, null leaves it out. */
  query?: { [name: string]: Json };
  /** Sent as JSON. At most one of `json`, `form` and `body`. */
  json?: Json;
  form?: { [name: string]: string };
  body?: string;
  /** For one attempt; a minute by default. */
  timeout?: Duration;
  /** Further attempts within one try of the task; 3 by default. */
  requestRetries?: number;
  /** Before the first further attempt; then doubled each time. */
  requestRetryDelay?: Duration;
  /** After which statuses; 429 and 5xx by default. */
  retryOn?: Status | readonly Status[];
  /** Sending a POST or PATCH twice does no harm. */
  retryUnsafe?: boolean;
  maxRedirects?: number;
  verifyTls?: boolean;
  /** What the answer must be; by default any 2xx. By path, a value alone is what must stand there. */
  expect?: {
    status?: Status | readonly Status[];
    json?: { [path: string]: string | number | boolean | null | JsonExpectation };
    bodyMatches?: string;
  };
  result?: HttpResult;
  pagination?:
    | { by: 'link'; items?: string; maxPages?: number }
    | { by: 'cursor'; cursor: string; parameter: string; items?: string; maxPages?: number };
} & (Where | BelowConnection);

export type SqlOptions = CodeOptions & {
  inputs?: Inputs;
  /** Id of a connection. */
  connection: string;
  /** Templated; values belong into `parameters`. */
  sql?: string | readonly string[];
  /** Statements in a file beside the DAG file, one of its `files`. */
  file?: string;
  /** `[1]` for `$1`, `{ day: '…' }` for `:day`. */
  parameters?: readonly Json[] | { readonly [name: string]: Json };
  /** No transaction around the statements. */
  autocommit?: boolean;
  result?: SqlResult;
  /** 10,000 by default; more fail the task. */
  maxRows?: number;
  /** Rows for a table, after the statements. */
  load?: {
    table: string;
    format?: SqlFormat;
    columns?: { [column: string]: string };
    delimiter?: string;
    nullText?: string;
  } & ({ file: string } | { /** The name of an input. */ input: string });
  /** A file of the worker for the rows of the last statement. */
  unload?: { path: string; format?: SqlFormat };
};
