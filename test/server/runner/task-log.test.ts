import { describe, expect, it } from 'vitest';
import type { LogChunk } from '#sdk/protocol.ts';
import { createTaskLog } from '#server/runner/task-log.ts';

function record(limit = 1_000_000) {
  const chunks: LogChunk[] = [];
  let limits = 0;
  const log = createTaskLog({
    dispatchId: 'd',
    emit: (chunk) => chunks.push(chunk),
    limit,
    onLimit: () => (limits += 1),
  });
  const text = () => chunks.map((chunk) => chunk.body).join('');
  const lines = () =>
    text()
      .split('\n')
      .slice(0, -1)
      .map((line) => line.slice(25));
  return { chunks, log, text, lines, limits: () => limits };
}

describe('task log', () => {
  it('cuts lines, prefixes them and counts bytes', () => {
    const { chunks, log, lines, text } = record();
    log.write('o', Buffer.from('one\ntw'));
    log.write('e', Buffer.from('err\r\n'));
    log.write('o', Buffer.from('o é€\nrest'));
    const bytes = log.end();
    expect(lines()).toEqual(['o one', 'e err', 'o two é€', 'o rest']);
    expect(bytes).toBe(Buffer.byteLength(text()));
    let offset = 0;
    for (const chunk of chunks) {
      expect(chunk.offset).toBe(offset);
      offset += Buffer.byteLength(chunk.body);
    }
    expect(text().split('\n')[0]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z o one$/);
  });

  it('joins a character that comes in two pieces and stores no NUL', () => {
    const { log, lines } = record();
    const euro = Buffer.from('€');
    log.write('o', euro.subarray(0, 1));
    log.write('o', euro.subarray(1));
    log.write('o', Buffer.from('a\0b\n'));
    log.end();
    expect(lines()).toEqual(['o €a\u2400b']);
  });

  it('keeps 16 KiB of a line and goes on with the next', () => {
    const { log, lines } = record();
    for (let n = 0; n < 10; n += 1) log.write('o', Buffer.from('€'.repeat(2_000)));
    log.write('o', Buffer.from('\nnext\n'));
    log.end();
    const [long = '', next] = lines();
    expect(Buffer.byteLength(long)).toBeLessThan(16 * 1024 + 100);
    expect(long).toContain('longer than 16 KiB');
    expect(long).not.toContain('\uFFFD');
    expect(next).toBe('o next');
  });

  it('stops at its limit, once, with a line that says so', () => {
    const { log, lines, limits } = record(10_000);
    for (let n = 0; n < 1_000; n += 1) log.write('o', Buffer.from('x'.repeat(50) + '\n'));
    log.end();
    expect(limits()).toBe(1);
    expect(lines().at(-1)).toContain('limit');
    expect(lines().length).toBeLessThan(200);
  });

  it('reaches its limit without a single end of line', () => {
    const { log, lines, limits } = record(100_000);
    for (let n = 0; n < 200; n += 1) log.write('o', Buffer.alloc(1_000, 'x'));
    log.end();
    expect(limits()).toBe(1);
    expect(lines().length).toBe(2);
  });

  it('remembers the last line with something on it', () => {
    const { log } = record();
    log.write('o', 'a\nb\n\n  \n');
    log.write('e', 'c\n');
    log.end();
    expect(log.lastOutput()).toBe('b');
    expect(log.lastError()).toBe('c');
  });
});
