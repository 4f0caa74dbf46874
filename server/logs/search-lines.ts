/** Finds lines in text that comes in pieces. Pure; holds no more than a piece, and the lines around what it has found. */
import { parseLine, type LogLine } from '#schema/log-page.ts';
import type { LogHit, LogPlace, LogSearchRequest } from '#schema/log-reader.ts';

export interface LineSearch {
  /** Text from where the last one ended. */
  add(text: string): void;
  /** So much was left out: nothing in it can be a hit. What came before is a line. */
  skip(bytes: number, lines: number): void;
  /** No more follows what was added: the rest is a line. */
  finish(): void;
  hits: LogHit[];
  /** As many as were asked for. */
  isFull(): boolean;
  /** All that is around the hits is there. */
  isSettled(): boolean;
  /** Where a search goes on that is to find the next hits. */
  place(): LogPlace;
}

type Wanted = Pick<LogSearchRequest, 'text' | 'isCaseSensitive' | 'limit' | 'context' | 'from'>;

export function createLineSearch({ text: wanted, isCaseSensitive, limit, context, from }: Wanted): LineSearch {
  const fold = isCaseSensitive ? (text: string) => text : (text: string) => text.toLowerCase();
  const needle = fold(wanted);
  const keep = Math.max(context, 1);
  const hits: LogHit[] = [];
  let at: LogPlace = { ...from };
  let rest = '';
  let previous: LogLine[] = [];
  /** After the last hit, once there are as many as may be. */
  let end: LogPlace | undefined;

  const open = () => hits.filter(({ after }) => after.length < context);
  const take = (raw: string, bytes: number) => {
    const line = parseLine(raw, at.offset, previous.at(-1));
    for (const hit of open()) hit.after.push(line);
    at = { offset: at.offset + bytes, line: at.line + 1 };
    if (hits.length < limit && fold(line.text).includes(needle)) {
      hits.push({ lineNumber: at.line, line, before: context > 0 ? previous.slice(-context) : [], after: [] });
      if (hits.length === limit) end = at;
    }
    previous.push(line);
    if (previous.length > keep) previous.shift();
  };
  /** Of text without a hit only the lines are counted, and the last ones kept. */
  const pass = (text: string) => {
    const lines = countEnds(text);
    const kept = Math.min(lines, keep);
    let start = text.length - 1;
    for (let i = 0; i < kept; i++) start = start === 0 ? -1 : text.lastIndexOf('\n', start - 1);
    at = { offset: at.offset + Buffer.byteLength(text.slice(0, start + 1)), line: at.line + lines - kept };
    takeAll(text.slice(start + 1));
  };
  const takeAll = (text: string) => {
    for (let start = 0; start < text.length;) {
      const newline = text.indexOf('\n', start);
      const raw = text.slice(start, newline);
      take(raw, Buffer.byteLength(raw) + 1);
      start = newline + 1;
      if (end && open().length === 0) return;
    }
  };

  const finish = () => {
    const last = rest;
    rest = '';
    if (last !== '') take(last, Buffer.byteLength(last));
  };

  return {
    hits,
    isFull: () => end !== undefined,
    isSettled: () => open().length === 0,
    place: () => end ?? at,
    add(more) {
      const text = rest + more;
      const whole = text.slice(0, text.lastIndexOf('\n') + 1);
      rest = text.slice(whole.length);
      if (whole === '') return;
      if (open().length === 0 && !fold(whole).includes(needle)) pass(whole);
      else takeAll(whole);
    },
    skip(bytes, lines) {
      finish();
      at = { offset: at.offset + bytes, line: at.line + lines };
      previous = [];
    },
    finish,
  };
}

function countEnds(text: string): number {
  let lines = 0;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines++;
  return lines;
}
