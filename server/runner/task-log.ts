import { StringDecoder } from 'node:string_decoder';
import type { LogChunk } from '#sdk/protocol.ts';
import { createMask, type Mask } from './mask.ts';

export interface TaskLog {
  write(stream: 'o' | 'e', data: Buffer | string): void;
  /** A whole line with the time that it was written at: ISO 8601, of any precision. */
  line(stream: 'o' | 'e', text: string, at: string): void;
  /** A line said by the system. */
  system(text: string): void;
  /** Sends what is left, unfinished lines too. Returns the bytes of the whole log. */
  end(): number;
  /** The last line with something on it that stdout was given, without its secrets; null when there was none or it was cut. */
  lastOutput(): string | null;
  lastError(): string | null;
}

export interface TaskLogOptions {
  dispatchId: string;
  /** Hides secrets, line by line: a line is whole here, however it came. */
  mask?: Mask;
  emit(chunk: LogChunk): void;
  /** Bytes of the log. */
  limit: number;
  /** Where it goes on: bytes that are stored already. */
  offset?: number;
  /** Called once; what comes after is dropped. */
  onLimit(): void;
}

const LINE_LIMIT = 16 * 1024;
const FLUSH_BYTES = 48 * 1024;
const FLUSH_MS = 50;
const MIB = 1024 * 1024;

interface Source {
  letter: 'o' | 'e';
  decoder: StringDecoder;
  rest: string;
  /** Characters of the unfinished line beyond its limit. */
  dropped: number;
  last: string | null;
}

export function createTaskLog(options: TaskLogOptions): TaskLog {
  const { dispatchId, mask = createMask([]), emit, limit, onLimit } = options;
  const source = (letter: 'o' | 'e'): Source => ({
    letter,
    decoder: new StringDecoder(),
    rest: '',
    dropped: 0,
    last: null,
  });
  const sources = { o: source('o'), e: source('e') };
  let { offset = 0 } = options;
  let body = '';
  let received = 0;
  let full = false;
  let timer: NodeJS.Timeout | null = null;

  const flush = () => {
    if (timer) clearTimeout(timer);
    timer = null;
    if (body === '') return;
    emit({ dispatchId, offset, body });
    offset += Buffer.byteLength(body);
    body = '';
  };
  const add = (letter: 'o' | 'e' | 's', text: string, at = timestamp()) => {
    body += `${at} ${letter} ${text}\n`;
    if (body.length >= FLUSH_BYTES) flush();
    else timer ??= setTimeout(flush, FLUSH_MS);
  };
  const stopAtLimit = () => {
    if (full || (received <= limit && offset + body.length <= limit)) return;
    full = true;
    add(
      's',
      `The output has reached its limit of ${Math.round(limit / MIB)} MiB. The rest is not kept and the task is stopped.`,
    );
    onLimit();
  };
  const take = (from: Source, text: string) => {
    for (let start = 0; !full;) {
      const at = text.indexOf('\n', start);
      const piece = at < 0 ? text.slice(start) : text.slice(start, at);
      if (from.rest.length + piece.length <= LINE_LIMIT) from.rest += piece;
      else {
        const kept = piece.slice(0, LINE_LIMIT - from.rest.length);
        from.rest += kept;
        from.dropped += piece.length - kept.length;
      }
      if (at < 0) return;
      add(from.letter, finishLine(from, mask));
      stopAtLimit();
      start = at + 1;
    }
  };

  return {
    write(stream, data) {
      received += data.length;
      if (full) return;
      const from = sources[stream];
      take(from, typeof data === 'string' ? data : from.decoder.write(data));
      stopAtLimit();
    },
    line(stream, text, at) {
      received += text.length;
      if (full) return;
      const from = sources[stream];
      from.rest = text.slice(0, LINE_LIMIT);
      from.dropped = text.length - from.rest.length;
      add(stream, finishLine(from, mask), at);
      stopAtLimit();
    },
    system(text) {
      for (const line of mask(text).split('\n')) add('s', clean(line));
    },
    end() {
      for (const from of [sources.o, sources.e]) {
        if (!full) take(from, from.decoder.end());
        if (from.rest !== '') add(from.letter, finishLine(from, mask));
      }
      flush();
      return offset;
    },
    lastOutput: () => sources.o.last,
    lastError: () => sources.e.last,
  };
}

function finishLine(from: Source, mask: Mask): string {
  const whole = clean(from.rest);
  let text = from.dropped > 0 ? mask.cut(whole) : mask(whole);
  const bytes = text.length * 3 > LINE_LIMIT ? Buffer.byteLength(text) : 0;
  const cut = from.dropped > 0 || bytes > LINE_LIMIT;
  if (cut) {
    text =
      bytes > LINE_LIMIT
        ? Buffer.from(text)
            .subarray(0, LINE_LIMIT)
            .toString()
            .replace(/\uFFFD$/, '')
        : text;
    text += ' … [the line is longer than 16 KiB, its rest is not kept]';
  }
  if (text.trim() !== '') from.last = cut ? null : text;
  from.rest = '';
  from.dropped = 0;
  return text;
}

/** PostgreSQL stores no NUL; a line's end in the Windows way is one end. */
function clean(text: string): string {
  const line = text.endsWith('\r') ? text.slice(0, -1) : text;
  return line.includes('\0') ? line.replaceAll('\0', '\u2400') : line;
}

let stampedAt = 0;
let stamp = '';
function timestamp(): string {
  const now = Date.now();
  if (now !== stampedAt) {
    stampedAt = now;
    stamp = new Date(now).toISOString();
  }
  return stamp;
}
