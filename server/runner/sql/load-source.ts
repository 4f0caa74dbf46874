/** The rows that an sql task loads: from a file of the bundle or from an input, by the columns that they go to. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { SqlLoad } from '#sdk/operator-spec.ts';
import type { Json } from '#sdk/protocol.ts';
import { OperatorFailure, type OperatorHost } from '../operator-host.ts';
import { bundlePath } from './bundle-path.ts';
import { readCsv, type CsvField } from './csv.ts';
import { linesOf, readJsonLine } from './ndjson.ts';

type Row = readonly (string | null)[];

export interface LoadSource {
  columns: string[];
  rows: AsyncIterable<Row>;
  /** For the log. */
  name: string;
}

export async function openLoad(load: SqlLoad, host: OperatorHost): Promise<LoadSource> {
  if (load.input !== null) return fromInput(load, load.input, host);
  const path = bundlePath(host.bundleDir, load.file ?? '');
  const size = await stat(path).catch(() => null);
  if (!size?.isFile()) throw invalid(`'${load.file}' is not in the DAG's bundle. Name it in the DAG's 'files'.`);
  const stream = createReadStream(path, { encoding: 'utf8', signal: host.signal });
  return fromText(load, stream as AsyncIterable<string>, load.file ?? '');
}

const invalid = (message: string) => new OperatorFailure('result_invalid', message, { retryable: false });

function fromInput(load: SqlLoad, name: string, host: OperatorHost): Promise<LoadSource> {
  const value = host.input(name);
  const what = `the input '${name}'`;
  if (typeof value === 'string') return fromText(load, piecesOf(value), what);
  if (value === null) return Promise.resolve({ columns: [], rows: noRows(), name: what });
  if (Array.isArray(value)) return Promise.resolve(fromObjects(load, value.flat(), what));
  throw invalid(`The input '${name}' is neither a list of objects nor a text of CSV or NDJSON.`);
}

async function* noRows(): AsyncGenerator<Row> {}
async function* piecesOf(text: string): AsyncGenerator<string> {
  yield text;
}

function fromObjects({ columns }: SqlLoad, values: Json[], name: string): LoadSource {
  const objects = values.map((value, index) => {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
    throw invalid(`Entry ${index} of ${name} is not an object.`);
  });
  const mapping = columns ?? Object.fromEntries(objects.flatMap(Object.keys).map((key) => [key, key]));
  const keys = Object.values(mapping);
  const text = (value: Json | undefined) =>
    value === undefined || value === null ? null : typeof value === 'string' ? value : JSON.stringify(value);
  async function* rows(): AsyncGenerator<Row> {
    for (const object of objects) yield keys.map((key) => (Object.hasOwn(object, key) ? text(object[key]) : null));
  }
  return { columns: Object.keys(mapping), rows: rows(), name };
}

async function fromText(load: SqlLoad, pieces: AsyncIterable<string>, name: string): Promise<LoadSource> {
  return load.format === 'csv' ? fromCsv(load, pieces, name) : fromLines(load, pieces, name);
}

async function fromCsv(load: SqlLoad, pieces: AsyncIterable<string>, name: string): Promise<LoadSource> {
  const records = readCsv(withoutMark(pieces), load.delimiter);
  const first = await records.next();
  if (first.done) throw invalid(`${name} is empty: its first line must name the columns.`);
  const headers = first.value.map((field) => field.text);
  const mapping = load.columns ?? Object.fromEntries(headers.map((header) => [header, header]));
  const places = Object.entries(mapping).map(([column, header]) => {
    const place = headers.indexOf(header);
    if (place < 0)
      throw invalid(`${name} has no header '${header}' for the column '${column}'. It has: ${headers.join(', ')}.`);
    return place;
  });
  const text = (field: CsvField | undefined) =>
    !field || (!field.quoted && field.text === load.nullText) ? null : field.text;
  async function* rows(): AsyncGenerator<Row> {
    let number = 0;
    for await (const record of records) {
      number += 1;
      if (record.length !== headers.length)
        throw invalid(`Row ${number} of ${name} has ${record.length} fields, its header has ${headers.length}.`);
      yield places.map((place) => text(record[place]));
    }
  }
  return { columns: Object.keys(mapping), rows: rows(), name };
}

/** A byte order mark is no part of the first header. */
async function* withoutMark(pieces: AsyncIterable<string>): AsyncGenerator<string> {
  let isFirst = true;
  for await (const piece of pieces) {
    yield isFirst && piece.startsWith('\ufeff') ? piece.slice(1) : piece;
    isFirst = false;
  }
}

/** Without a mapping the keys of the first object are the columns. */
async function fromLines(load: SqlLoad, pieces: AsyncIterable<string>, name: string): Promise<LoadSource> {
  const lines = linesOf(pieces);
  const first = await lines.next();
  if (first.done) return { columns: [], rows: noRows(), name };
  const head = readJsonLine(first.value.line, first.value.number);
  const mapping = load.columns ?? Object.fromEntries([...head.keys()].map((key) => [key, key]));
  const keys = Object.values(mapping);
  const known = new Set(keys);
  const rowOf = (members: Map<string, string | null>, number: number): Row => {
    const strange = load.columns ? undefined : [...members.keys()].find((key) => !known.has(key));
    if (strange !== undefined)
      throw invalid(`Line ${number} of ${name} has the key '${strange}', which the first line has not. Say 'columns'.`);
    return keys.map((key) => members.get(key) ?? null);
  };
  async function* rows(): AsyncGenerator<Row> {
    yield rowOf(head, 1);
    for await (const { line, number } of lines) yield rowOf(readJsonLine(line, number), number);
  }
  return { columns: Object.keys(mapping), rows: rows(), name };
}
