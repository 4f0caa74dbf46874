import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { createMask, HIDDEN, maskJson } from '#server/runner/mask.ts';
import { createTaskLog } from '#server/runner/task-log.ts';
import { startHttpService } from '../../helpers/http-service.ts';
import { startRunner } from '../../helpers/runner.ts';

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

describe('a mask over a text that is cut', () => {
  it('shows not even the beginning of a secret at the cut', () => {
    const { shorten } = createMask([SECRET]);
    for (let room = 0; room <= SECRET.length; room += 1)
      expect(shorten('x'.repeat(100 - room) + SECRET + 'y'.repeat(100), 100)).not.toMatch(/x[ge]/);
    expect(shorten(`a ${SECRET}`, 100)).toBe('a ***');
  });

  const runner = startRunner();
  afterAll(() => runner.stop());
  /** From before to after the cut. */
  const secret = 'correct-horse-battery-staple';
  const half = 'correct-horse';
  const before = (length: number) => '-'.repeat(length - half.length) + secret;
  const secrets = [secret];

  it.each([
    ['the message of an exception', `raise Exception(${JSON.stringify(before(500 - 'Exception: '.length))})`],
    ['its stack', `raise Exception(${JSON.stringify(before(16_000))})`],
  ])('hides it in %s', async (_what, code) => {
    const { report } = await runner.run({ kind: 'python', source: `def main():\n  ${code}` }, { secrets });
    expect(report).toMatchObject({ outcome: 'failed', cause: 'exception' });
    expect(JSON.stringify(report)).not.toContain('correct');
  });

  it('hides it in what a branch must not answer', async () => {
    const source = `def main(): return ${JSON.stringify(before(200))}`;
    const { report } = await runner.run({ kind: 'branch', runtime: 'python', source }, { secrets });
    expect(report).toMatchObject({ outcome: 'failed', cause: 'branch_invalid' });
    expect(report.message).not.toContain('correct');
  });

  it('hides it in the name of a mapped instance', async () => {
    const { report } = await runner.run(
      { kind: 'bash', command: 'true' },
      { secrets, mapItem: { file: before(250) }, mapName: '{{ file }}' },
    );
    expect(report).toMatchObject({ outcome: 'success', mapName: `${'-'.repeat(237)}***` });
  });

  it('hides it in how an HTTP answer begins', async () => {
    const service = await startHttpService();
    service.on('/plain', (_request, res) => res.end(before(200)));
    service.on('/json', (_request, res) => res.end(`{"a": ${secret}}`));
    for (const task of [
      { url: `${service.url}/plain`, expect: { status: ['404'], json: {}, bodyMatches: null } },
      { url: `${service.url}/json`, result: 'json' as const },
    ]) {
      const { report } = await runner.run({ kind: 'http', ...task }, { secrets });
      expect(report).toMatchObject({ outcome: 'failed', cause: 'unexpected_answer' });
      expect(report.message).not.toContain('corre');
    }
    await service.stop();
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
