/** What becomes of the rows of a statement: a result, a text, or a file. */
import { createWriteStream, type WriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { once } from 'node:events';
import { dirname } from 'node:path';
import type { SqlFormat, SqlResult, SqlUnload } from '#sdk/operator-spec.ts';
import type { Json } from '#sdk/protocol.ts';
import { MAX_RESULT_BYTES, OperatorFailure } from '../operator-host.ts';
import { csvLine } from './csv.ts';
import { drained } from './drained.ts';
import type { RowSink } from './sql-driver.ts';

/** Of the last statement that gave rows. */
export interface ResultSink extends RowSink {
  result(): Json;
}

const tooMuch = (message: string) => new OperatorFailure('result_invalid', message, { retryable: false });

export const NO_ROWS: RowSink = { columns: () => undefined, row: () => undefined };

/** `row` and `value` look at the first row alone. */
export function createResultSink(wanted: SqlResult, maxRows: number): ResultSink {
  if (wanted === 'csv' || wanted === 'ndjson') return createTextSink(wanted, maxRows);
  const rows: Json[] = [];
  let names: readonly string[] = [];
  let count = 0;
  let bytes = 0;
  const keepsAll = wanted === 'rows';
  const keeps = keepsAll || wanted === 'row' || wanted === 'value';
  return {
    columns(given) {
      names = given;
      if (keeps && wanted !== 'value') checkNames(names);
    },
    row(values) {
      count += 1;
      if (!keeps || (!keepsAll && count > 1)) return;
      checkCount(count, maxRows);
      bytes += sizeOf(values);
      checkBytes(bytes);
      rows.push(wanted === 'value' ? (values[0] ?? null) : toObject(names, values));
    },
    result: () => (keepsAll ? rows : (rows[0] ?? null)),
  };
}

function createTextSink(format: SqlFormat, maxRows: number): ResultSink {
  const parts: string[] = [];
  let names: readonly string[] = [];
  let count = 0;
  let bytes = 0;
  const add = (line: string) => {
    bytes += Buffer.byteLength(line);
    checkBytes(bytes);
    parts.push(line);
  };
  return {
    columns(given) {
      names = given;
      checkNames(names);
      if (format === 'csv') add(csvLine(names as string[]));
    },
    row(values) {
      count += 1;
      checkCount(count, maxRows);
      add(lineOf(format, names, values));
    },
    result: () => parts.join(''),
  };
}

const lineOf = (format: SqlFormat, names: readonly string[], values: readonly Json[]): string =>
  format === 'csv' ? csvLine(values) : `${JSON.stringify(toObject(names, values))}\n`;

const toObject = (names: readonly string[], values: readonly Json[]): { [name: string]: Json } =>
  Object.fromEntries(names.map((name, index) => [name, values[index] ?? null]));

const sizeOf = (values: readonly Json[]): number =>
  values.reduce<number>(
    (sum, value) => sum + (typeof value === 'string' ? Buffer.byteLength(value) : JSON.stringify(value).length) + 8,
    0,
  );

function checkNames(names: readonly string[]): void {
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined)
    throw tooMuch(`The rows have two columns named '${twice}'. Give one of them another name with AS.`);
}

function checkCount(count: number, maxRows: number): void {
  if (count > maxRows)
    throw tooMuch(
      `The statement gives more than ${maxRows} rows (maxRows). Aggregate, add a limit, raise maxRows, or write them to a file with 'unload'.`,
    );
}

function checkBytes(bytes: number): void {
  if (bytes > MAX_RESULT_BYTES)
    throw tooMuch(`The rows have more than 64 MiB. Select less, or write them to a file with 'unload'.`);
}

export interface FileSink extends RowSink {
  /** The file is complete under its name. */
  finish(): Promise<{ rows: number; bytes: number }>;
  /** Nothing of it stays. */
  discard(): Promise<void>;
}

/** Characters that are written at once. */
const FILE_PART = 64 * 1024;

/** Under another name until it is complete: nobody reads half a file. */
export async function createFileSink({ path, format }: SqlUnload, tryName: string): Promise<FileSink> {
  const partial = `${path}.${tryName}.part`;
  await mkdir(dirname(path), { recursive: true });
  const stream: WriteStream = createWriteStream(partial);
  let broken: Error | null = null;
  stream.on('error', (error) => (broken = error));
  let names: readonly string[] = [];
  let rows = 0;
  /** One for all rows that come until then. */
  let draining: Promise<void> | null = null;
  let part = '';
  const flush = () => {
    const isFull = !stream.write(part);
    part = '';
    if (isFull) draining ??= drained(stream).then(() => void (draining = null));
  };
  const write = (line: string): void | Promise<void> => {
    if (broken) throw broken;
    part += line;
    if (part.length >= FILE_PART) flush();
    if (draining) return draining;
  };
  return {
    columns(given) {
      names = given;
      checkNames(names);
      if (format === 'csv') void write(csvLine(names as string[]));
    },
    row(values) {
      rows += 1;
      return write(lineOf(format, names, values));
    },
    async finish() {
      flush();
      stream.end();
      if (!stream.closed) await once(stream, 'close');
      if (broken) throw broken;
      await rename(partial, path);
      return { rows, bytes: stream.bytesWritten };
    },
    async discard() {
      stream.destroy();
      await rm(partial, { force: true });
    },
  };
}
