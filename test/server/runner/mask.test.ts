import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createMask, HIDDEN, maskJson } from '#server/runner/mask.ts';
import { createTaskLog } from '#server/runner/task-log.ts';

const SECRET = 'geheim+wort"1';

/** The log of bytes that come in these pieces. */
function logOf(pieces: Buffer[], secrets: string[]): string {
  let text = '';
  const mask = createMask(secrets);
  const log = createTaskLog({
    dispatchId: 'd',
    mask,
    emit: (chunk) => (text += chunk.body),
    limit: 10_000_000,
    onLimit: () => undefined,
  });
  for (const piece of pieces) log.write('o', piece);
  log.end();
  return text;
}

describe('a mask', () => {
  it('hides a secret as it is, in JSON, in a URL and as base64', () => {
    const mask = createMask([SECRET]);
    expect(mask(`a ${SECRET} b`)).toBe(`a ${HIDDEN} b`);
    expect(mask(JSON.stringify({ key: SECRET }))).toBe(`{"key":"${HIDDEN}"}`);
    expect(mask(`https://u:${encodeURIComponent(SECRET)}@host`)).toBe(`https://u:${HIDDEN}@host`);
    expect(mask(Buffer.from(SECRET).toString('base64'))).toBe(HIDDEN);
    expect(maskJson(mask, { [SECRET]: [SECRET, 1, null] })).toEqual({ [HIDDEN]: [HIDDEN, 1, null] });
  });

  it('hides the longer of two that begin alike, and each line of one of several', () => {
    expect(createMask(['abcde', 'abcdefgh'])('abcdefgh abcdexx')).toBe('*** ***xx');
    expect(createMask(['-----BEGIN-----\nMIIEvQ\n'])('the key MIIEvQ')).toBe('the key ***');
  });

  it('leaves words of less than five letters alone', () => {
    expect(createMask(['a', 'abc', ''])('a cab, abc')).toBe('a cab, abc');
  });
});

describe('a task log with secrets', () => {
  it('shows none of them, wherever the output is cut into pieces', () => {
    const secret = fc
      .string({ unit: 'grapheme', minLength: 5, maxLength: 40 })
      .filter((text) => !/[\n\r\0*]/.test(text));
    fc.assert(
      fc.property(secret, fc.array(fc.nat(200), { maxLength: 20 }), fc.boolean(), (text, cuts, ends) => {
        const output = Buffer.from(`before ${text} between${text}\n${text}${ends ? '\n' : ''}`);
        const at = [0, ...cuts.map((cut) => cut % (output.length + 1)).sort((a, b) => a - b), output.length];
        const pieces = at.slice(1).map((end, i) => output.subarray(at[i], end));
        const log = logOf(pieces, [text]);
        if (text.trim().length >= 5) expect(log).not.toContain(text.trim());
      }),
      { numRuns: 500 },
    );
  });

  it('shows not even the beginning of one that lies across the longest line', () => {
    for (let room = 0; room <= SECRET.length; room += 1) {
      const line = 'x'.repeat(16 * 1024 - room) + SECRET + 'y'.repeat(100);
      const log = logOf([Buffer.from(line)], [SECRET]);
      expect(log, `${room} characters before the cut`).not.toMatch(/x[ge]/);
    }
  });
});
