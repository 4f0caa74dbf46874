/** From PostgreSQL's texts to JSON and back, without losing a digit. */
import pg from 'pg';
import type { Json } from '#sdk/protocol.ts';

type Read = (text: string) => Json;

const asNumber: Read = (text) => {
  const number = Number(text);
  return Number.isFinite(number) ? number : text;
};
const asJson: Read = (text) => JSON.parse(text) as Json;
const listOf = (oid: number): Read => {
  const read = pg.types.getTypeParser(oid) as unknown as Read;
  return (text) => read(text);
};
/** Of texts: whatever the entries are, they stay as the server wrote them. */
const TEXT_LIST = 1009;
const textList = listOf(TEXT_LIST);
const numberList: Read = (text) => mapDeep(textList(text), asNumber);
const jsonList: Read = (text) => mapDeep(textList(text), asJson);
const booleanList: Read = (text) => mapDeep(textList(text), (item) => item === 't');

function mapDeep(value: Json, read: Read): Json {
  if (Array.isArray(value)) return value.map((item) => mapDeep(item, read));
  return typeof value === 'string' ? read(value) : value;
}

/** By type id. Others are texts: int8, numeric, timestamps, uuid, bytea, … */
const READERS: { [oid: number]: Read } = {
  16: (text) => text === 't',
  21: asNumber,
  23: asNumber,
  26: asNumber,
  700: asNumber,
  701: asNumber,
  114: asJson,
  3802: asJson,
  1000: booleanList,
  1005: numberList,
  1007: numberList,
  1021: numberList,
  1022: numberList,
  199: jsonList,
  3807: jsonList,
};
/** Arrays of what stays text: varchar, char, text, int8, numeric, date, time, timestamp, timestamptz, interval, uuid, bytea, name, … */
for (const oid of [
  1002, 1003, 1009, 1014, 1015, 1016, 1231, 1182, 1183, 1115, 1185, 1187, 1270, 2951, 1001, 1041, 651, 1028,
])
  READERS[oid] = textList;

export const readerOf = (oid: number): Read => READERS[oid] ?? ((text) => text);

/** How a parameter travels: lists as arrays, objects as JSON, the rest as text. */
export function parameterOf(value: Json): unknown {
  if (value === null || typeof value === 'string' || Array.isArray(value)) return value;
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** One row of CSV as COPY reads it back exactly: every text is quoted, so that only NULL is empty. */
export function copyLine(row: readonly (string | null)[]): string {
  return `${row.map((value) => (value === null ? '' : `"${value.replaceAll('"', '""')}"`)).join(',')}\n`;
}

/** `schema.table`, each part as it is written; quotes may stand around a part. */
export function quotedTable(table: string): string {
  const parts = table.match(/"(?:[^"]|"")+"|[^."]+/g) ?? [];
  if (parts.length === 0 || parts.length > 3 || parts.join('.') !== table)
    throw new Error(`'${table}' is not the name of a table. Write table or schema.table.`);
  return parts.map((part) => (part.startsWith('"') ? part : pg.escapeIdentifier(part))).join('.');
}
