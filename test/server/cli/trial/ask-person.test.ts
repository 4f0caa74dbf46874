import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import type { ApprovalRequest } from '#schema/approval-decision.ts';
import { askPerson } from '#server/cli/trial/ask-person.ts';

const REQUEST: ApprovalRequest = {
  subject: 'Ship it?',
  body: 'All tests\npass.',
  options: ['ship', 'drop'],
  rejections: ['drop'],
  form: { type: 'object', properties: { percent: { type: 'integer', default: 10 } } },
  users: [],
  roles: [],
  default: null,
  onReject: 'fail',
  branches: {},
};

/** What comes of these lines, typed one after the other. */
async function typed(lines: string[], request: Partial<ApprovalRequest> = {}, signal = new AbortController().signal) {
  const [input, output] = [new PassThrough(), new PassThrough()];
  const pending = [...lines];
  output.on('data', (data) => {
    if (!String(data).endsWith(': ')) return;
    const next = pending.shift();
    if (next === undefined) input.end();
    else input.write(`${next}\n`);
  });
  const shown = text(output);
  const answer = await askPerson({ input, output }, { name: 'ship_it', request: { ...REQUEST, ...request }, signal });
  output.end();
  return { answer, shown: await shown };
}

describe('askPerson', () => {
  it('takes a number or a name, and fills in the form with its defaults', async () => {
    const { answer, shown } = await typed(['1', '']);
    expect(answer).toEqual({ option: 'ship', form: { percent: 10 } });
    expect(shown).toContain(
      'ship_it waits for your decision: Ship it?\n  All tests\n  pass.\n  1  ship\n  2  drop\nNumber or name: ',
    );
    expect((await typed(['ship', '{"percent": 5}'])).answer).toEqual({ option: 'ship', form: { percent: 5 } });
  });

  it('asks no form of who rejects, and takes nothing for the default', async () => {
    expect((await typed(['drop'])).answer).toEqual({ option: 'drop', form: {} });
    expect((await typed([''], { default: 'drop' })).answer).toEqual({ option: 'drop', form: {} });
  });

  it('asks again until it fits', async () => {
    const { answer, shown } = await typed(['3', '', 'ship', 'many', '{"percent": "x"}', '{"percent": 3}']);
    expect(answer).toEqual({ option: 'ship', form: { percent: 3 } });
    expect(shown.match(/Choose one of ship, drop\./g)).toHaveLength(2);
    expect(shown).toContain('It must be an object.');
    expect(shown).toContain('percent');
  });

  it('has no answer when the terminal is closed or the question is taken back', async () => {
    expect((await typed([])).answer).toBeNull();
    expect((await typed(['ship'], {}, AbortSignal.abort())).answer).toBeNull();
  });
});
