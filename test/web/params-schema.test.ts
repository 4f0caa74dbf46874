import { describe, expect, it } from 'vitest';
import { defaultsOf, parameters, parseConf } from '../../web/components/params-schema.ts';

const schema = {
  type: 'object',
  required: ['region', 'day'],
  properties: {
    region: { enum: ['eu', 'us'], default: 'eu', description: 'Where' },
    day: { type: 'string' },
    sample: { type: 'integer', default: 0 },
  },
};

describe('the parameters of a DAG', () => {
  it('prefill a configuration with their defaults', () => {
    expect(defaultsOf(schema)).toEqual({ region: 'eu', sample: 0 });
  });

  it('are told with type and default, and what must be given is required', () => {
    expect(parameters(schema)).toEqual([
      { name: 'region', type: '"eu" | "us"', default: '"eu"', required: false, description: 'Where' },
      { name: 'day', type: 'string', default: '', required: true, description: '' },
      { name: 'sample', type: 'integer', default: '0', required: false, description: '' },
    ]);
  });

  it.each([null, undefined, true, [], { properties: 3 }, { properties: { a: null } }])('stands %j', (odd) => {
    expect(parameters(odd)).toEqual([]);
    expect(defaultsOf(odd)).toEqual({});
  });
});

describe('a typed configuration', () => {
  it('may be empty', () => expect(parseConf(' \n')).toEqual({ ok: true, value: {} }));
  it('is a JSON object', () => expect(parseConf('{"a":[1]}')).toEqual({ ok: true, value: { a: [1] } }));
  it.each(['[1]', '"text"', 'null', '3'])('is not %s', (text) => {
    expect(parseConf(text)).toMatchObject({ ok: false, reason: 'notObject' });
  });
  it('says where JSON is wrong', () => {
    expect(parseConf('{"a": }')).toMatchObject({
      ok: false,
      reason: 'invalidJson',
      detail: expect.stringContaining('JSON'),
    });
  });
});
