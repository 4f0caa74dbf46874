/** From stored chunks to lines. Each stored line is `<ISO time> <o|e|s> <text>\n`; offsets count UTF-8 bytes of a try's whole log. */
import type { LogSource, StoredChunk } from '#db/queries/log.ts';

export interface LogLine {
  offset: number;
  at: Date;
  stream: 'stdout' | 'stderr' | 'system';
  text: string;
}

export interface LogPage {
  lines: LogLine[];
  /** Read on from here. */
  nextOffset: number;
  /** The try has ended and this page reaches the end of its log. */
  complete: boolean;
}

/** Chunks may still be on their way when a try ends; after so long a missing one is said to be missing. */
const GAP_PATIENCE_SECONDS = 15;
const STREAMS: { [letter: string]: LogLine['stream'] } = { o: 'stdout', e: 'stderr', s: 'system' };
const LINE = /^(\d{4}-\d\d-\d\dT\S{1,30}Z) ([oes]) ?/;
const NEWLINE = 10;

interface PageInput {
  chunks: readonly StoredChunk[];
  /** `chunks` is all that there is from `offset` on. */
  exhausted: boolean;
  offset: number;
  source: LogSource;
}

/** Joins chunks from `offset` as far as they follow each other. */
export function buildLogPage({ chunks, exhausted, offset, source }: PageInput): LogPage {
  const lines: LogLine[] = [];
  const skipsGaps = source.end !== null && source.end.secondsAgo > GAP_PATIENCE_SECONDS;
  let next = offset;
  let isHeld = false;
  for (const chunk of chunks) {
    const bytes = Buffer.from(chunk.body);
    const end = chunk.byte_offset + bytes.length;
    if (end <= next) continue;
    if (chunk.byte_offset > next) {
      if (!skipsGaps) {
        isHeld = true;
        break;
      }
      lines.push(missing(next, chunk.byte_offset, lines.at(-1)));
      next = chunk.byte_offset;
    }
    const from = next === chunk.byte_offset ? 0 : lineStart(bytes, next - chunk.byte_offset);
    parseLines(bytes.subarray(from), chunk.byte_offset + from, lines);
    next = end;
  }
  return { lines, nextOffset: next, complete: isComplete({ source, exhausted, isHeld, next, skipsGaps }) };
}

function isComplete(at: {
  source: LogSource;
  exhausted: boolean;
  isHeld: boolean;
  next: number;
  skipsGaps: boolean;
}): boolean {
  const { end, dispatchId } = at.source;
  if (!end || at.isHeld || !at.exhausted) return false;
  // A try that was lost with its worker names no end; a chunk that never came is waited for only so long
  return at.next >= end.logBytes || at.skipsGaps || dispatchId === null;
}

/** An offset inside a line belongs to the next one. */
function lineStart(bytes: Buffer, at: number): number {
  if (at === 0 || bytes[at - 1] === NEWLINE) return at;
  const newline = bytes.indexOf(NEWLINE, at);
  return newline === -1 ? bytes.length : newline + 1;
}

function parseLines(bytes: Buffer, offset: number, into: LogLine[]): void {
  for (let at = 0; at < bytes.length;) {
    const newline = bytes.indexOf(NEWLINE, at);
    const end = newline === -1 ? bytes.length : newline;
    into.push(parseLine(bytes.toString('utf8', at, end), offset + at, into.at(-1)));
    at = end + 1;
  }
}

function parseLine(raw: string, offset: number, before: LogLine | undefined): LogLine {
  const match = LINE.exec(raw);
  const at = match && new Date(match[1] ?? '');
  // Not in the form: shown as it is rather than lost
  if (!match || !at || Number.isNaN(at.getTime()))
    return { offset, at: before?.at ?? new Date(0), stream: before?.stream ?? 'stdout', text: raw };
  return { offset, at, stream: STREAMS[match[2] ?? 'o'] ?? 'stdout', text: raw.slice(match[0].length) };
}

const missing = (from: number, to: number, before: LogLine | undefined): LogLine => ({
  offset: from,
  at: before?.at ?? new Date(0),
  stream: 'system',
  text: `[${to - from} bytes of the log never arrived]`,
});
