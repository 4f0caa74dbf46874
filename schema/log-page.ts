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
export const GAP_PATIENCE_SECONDS = 15;
const STREAMS: { [letter: string]: LogLine['stream'] } = { o: 'stdout', e: 'stderr', s: 'system' };
const LINE = /^(\d{4}-\d\d-\d\dT\S{1,30}Z) ([oes]) ?/;
const NEWLINE = 10;

interface PageInput {
  chunks: readonly StoredChunk[];
  /** `chunks` is all that there is from `offset` on. */
  exhausted: boolean;
  offset: number;
  /** Most lines. */
  limit?: number;
  source: LogSource;
}

/** Joins chunks from `offset` as far as they follow each other. */
export function buildLogPage({ chunks, exhausted, offset, limit = Infinity, source }: PageInput): LogPage {
  const lines: LogLine[] = [];
  const skipsGaps = source.end !== null && source.end.secondsAgo > GAP_PATIENCE_SECONDS;
  let next = offset;
  let isHeld = false;
  for (const { start, bytes, isLast } of stretchesOf(chunks, offset)) {
    if (start > next) {
      if (!skipsGaps) {
        isHeld = true;
        break;
      }
      lines.push(missing(next, start, lines.at(-1)));
    }
    const from = start >= next ? 0 : lineStart(bytes, next - start);
    const isEnd = exhausted && (skipsGaps || start + bytes.length >= (source.end?.logBytes ?? Infinity));
    const end = !isLast || isEnd ? bytes.length : wholeLines(bytes, from, exhausted);
    if (end === from) break;
    next = start + parseLines(bytes.subarray(0, end), { from, offset: start, limit }, lines);
    if (lines.length >= limit && next < start + end) return { lines, nextOffset: next, complete: false };
  }
  return { lines, nextOffset: next, complete: isComplete({ source, exhausted, isHeld, next, skipsGaps }) };
}

/** The rest of the last line is still to come; one that is longer than all that is read at once goes as far as it was read. */
function wholeLines(bytes: Buffer, from: number, exhausted: boolean): number {
  const end = bytes.lastIndexOf(NEWLINE) + 1;
  if (end > from) return end;
  return exhausted ? from : bytes.length;
}

/** What follows without a gap as one piece, with the byte before `offset`: a line may begin in one chunk and end in another. */
function stretchesOf(chunks: readonly StoredChunk[], offset: number) {
  const stretches: { start: number; parts: Buffer[]; end: number }[] = [];
  for (const chunk of chunks) {
    const bytes = Buffer.from(chunk.body);
    const end = chunk.byte_offset + bytes.length;
    const last = stretches.at(-1);
    if (end <= (last?.end ?? offset - 1)) continue;
    if (last && chunk.byte_offset <= last.end) last.parts.push(bytes.subarray(last.end - chunk.byte_offset));
    else stretches.push({ start: chunk.byte_offset, parts: [bytes], end });
    stretches.at(-1)!.end = end;
  }
  return stretches.map(({ start, parts }, i) => ({
    start,
    bytes: parts.length === 1 ? parts[0]! : Buffer.concat(parts),
    isLast: i === stretches.length - 1,
  }));
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

/** Returns where it has come to. */
function parseLines(
  bytes: Buffer,
  { from, offset, limit }: { from: number; offset: number; limit: number },
  into: LogLine[],
): number {
  let at = from;
  while (at < bytes.length && into.length < limit) {
    const newline = bytes.indexOf(NEWLINE, at);
    const end = newline === -1 ? bytes.length : newline;
    into.push(parseLine(bytes.toString('utf8', at, end), offset + at, into.at(-1)));
    at = newline === -1 ? end : end + 1;
  }
  return at;
}

export function parseLine(raw: string, offset: number, before: LogLine | undefined): LogLine {
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

/** In the place of a log of which nothing is left. */
export const gonePage = (why: string, { end }: LogSource): LogPage => ({
  lines: [{ offset: 0, at: new Date(0), stream: 'system', text: `[${why}]` }],
  nextOffset: end?.logBytes ?? 0,
  complete: true,
});
