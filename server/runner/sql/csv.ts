/** CSV after RFC 4180, read in pieces and written row by row. */
import type { Json } from '#sdk/protocol.ts';

export interface CsvField {
  text: string;
  quoted: boolean;
}

/** Rows of a CSV text that comes in pieces. Lines end with \n, \r\n or \r; empty lines are no rows. */
export async function* readCsv(pieces: AsyncIterable<string>, delimiter: string): AsyncGenerator<CsvField[]> {
  const parser = createCsvParser(delimiter);
  for await (const piece of pieces) yield* parser.push(piece);
  yield* parser.end();
}

function createCsvParser(delimiter: string) {
  let row: CsvField[] = [];
  let text = '';
  let quoted = false;
  /** `closed`: behind the quote that may end the field, or be the first of a pair. */
  let state: 'start' | 'plain' | 'inside' | 'closed' = 'start';
  let afterReturn = false;
  let line = 1;

  const endField = () => {
    row.push({ text, quoted });
    text = '';
    quoted = false;
    state = 'start';
  };
  const endRow = (): CsvField[] | null => {
    const isEmpty = row.length === 0 && state === 'start' && text === '';
    if (!isEmpty) endField();
    const done = row;
    row = [];
    state = 'start';
    return isEmpty ? null : done;
  };
  /** Up to the next character that means something. */
  const plainEnd = (piece: string, from: number): number => {
    for (let at = from; at < piece.length; at++) {
      const c = piece[at];
      if (c === delimiter || c === '\n' || c === '\r' || c === '"') return at;
    }
    return piece.length;
  };
  const outside = (c: string | undefined): CsvField[] | null => {
    if (c === '\n' || c === '\r') {
      line += 1;
      afterReturn = c === '\r';
      return endRow();
    }
    if (c === delimiter) endField();
    else if (c === '"' && state === 'start') [state, quoted] = ['inside', true];
    else throw new Error(`Line ${line} of the CSV has a quote in the middle of a field. Quote the whole field.`);
    // An empty field at the end of a line is one too
    if (c === delimiter) state = 'plain';
    return null;
  };

  return {
    *push(piece: string): Generator<CsvField[]> {
      for (let at = 0; at < piece.length;) {
        if (state === 'inside') {
          const quote = piece.indexOf('"', at);
          text += piece.slice(at, quote < 0 ? undefined : quote);
          if (quote < 0) return;
          state = 'closed';
          at = quote + 1;
          continue;
        }
        if (state === 'closed' && piece[at] === '"') {
          [text, state] = [`${text}"`, 'inside'];
          at += 1;
          continue;
        }
        if (afterReturn && piece[at] === '\n' && state === 'start' && row.length === 0) {
          afterReturn = false;
          at += 1;
          continue;
        }
        afterReturn = false;
        const end = plainEnd(piece, at);
        if (end > at) {
          if (state === 'closed') throw new Error(`Line ${line} of the CSV has text behind a quoted field.`);
          [text, state] = [text + piece.slice(at, end), 'plain'];
          at = end;
          continue;
        }
        const c = piece[at];
        at += 1;
        if (c === '"' && state === 'plain' && text === '') [state, quoted] = ['inside', true];
        else {
          const done = outside(c);
          if (done) yield done;
        }
      }
    },
    *end(): Generator<CsvField[]> {
      if (state === 'inside') throw new Error(`The CSV ends inside a quoted field (line ${line}).`);
      const done = endRow();
      if (done) yield done;
    },
  };
}

/** NULL is empty, an empty text is `""`. */
export const csvLine = (values: readonly Json[]): string => `${values.map(csvField).join(',')}\r\n`;

function csvField(value: Json): string {
  if (value === null) return '';
  const text = typeof value === 'string' ? value : typeof value === 'object' ? JSON.stringify(value) : String(value);
  return text === '' || /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
