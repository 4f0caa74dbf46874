import { describe, expect, it } from 'vitest';
import { buildLogPage, type LogPage } from '#schema/log-page.ts';
import type { LogSource, StoredChunk } from '#db/queries/log.ts';

const line = (text: string, letter = 'o') => `2026-01-01T00:00:00.000Z ${letter} ${text}\n`;
const RUNNING: LogSource = { tryNumber: 1, dispatchId: 'd', end: null };
const ended = (logBytes: number, secondsAgo = 0): LogSource => ({ ...RUNNING, end: { logBytes, secondsAgo } });

/** Cuts a log into chunks after these lines. */
function chunksOf(...bodies: string[]): StoredChunk[] {
  let offset = 0;
  return bodies.map((body) => {
    const chunk = { byte_offset: offset, body };
    offset += Buffer.byteLength(body);
    return chunk;
  });
}
const page = (chunks: StoredChunk[], offset: number, source: LogSource, exhausted = true): LogPage =>
  buildLogPage({ chunks, exhausted, offset, source });
const texts = (from: LogPage) => from.lines.map((one) => one.text);

describe('a page of log', () => {
  const bodies = [line('one') + line('zwei ü'), line('three', 'e'), line('', 's')];
  const chunks = chunksOf(...bodies);
  const size = Buffer.byteLength(bodies.join(''));

  it('has lines with place, stream and text, and ends with the try', () => {
    const whole = page(chunks, 0, ended(size));
    expect(texts(whole)).toEqual(['one', 'zwei ü', 'three', '']);
    expect(whole.lines.map((one) => one.stream)).toEqual(['stdout', 'stdout', 'stderr', 'system']);
    expect(whole).toMatchObject({ nextOffset: size, complete: true });
    expect(page(chunks, 0, RUNNING).complete).toBe(false);
    expect(page(chunks, 0, ended(size), false).complete).toBe(false);
  });

  it('goes on from any line, inside a chunk too, counted in bytes', () => {
    for (const { offset, text } of page(chunks, 0, ended(size)).lines)
      expect(texts(page(chunks, offset, ended(size)))[0]).toBe(text);
    expect(texts(page(chunks, 3, ended(size)))).toEqual(['zwei ü', 'three', '']);
  });

  it('waits at a gap while the try runs, and for a while after', () => {
    const gapped = [chunks[0], chunks[2]].filter((chunk) => chunk !== undefined);
    const first = Buffer.byteLength(bodies[0] ?? '');
    expect(page(gapped, 0, RUNNING)).toMatchObject({ nextOffset: first, complete: false });
    expect(page(gapped, 0, ended(size, 1))).toMatchObject({ nextOffset: first, complete: false });
    const late = page(gapped, 0, ended(size, 60));
    expect(late).toMatchObject({ nextOffset: size, complete: true });
    expect(texts(late)[2]).toContain('never arrived');
  });

  it('is complete without its last bytes only after a while', () => {
    expect(page(chunks.slice(0, 1), 0, ended(size, 1)).complete).toBe(false);
    expect(page(chunks.slice(0, 1), 0, ended(size, 60)).complete).toBe(true);
  });

  it('shows a line that is not in the form as it is', () => {
    const odd = chunksOf(line('fine') + 'not in the form\n');
    expect(texts(page(odd, 0, RUNNING))).toEqual(['fine', 'not in the form']);
  });
});
