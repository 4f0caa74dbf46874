import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { connectionUri, parseConnectionUri } from '#sdk/connections.ts';

describe('a connection as a URI', () => {
  it.each([
    [
      'postgres://me:p%40ss%2Fword@db.example:5433/sales?sslmode=require&sslpassword=x',
      {
        kind: 'postgres',
        host: 'db.example',
        port: 5433,
        schema: 'sales',
        login: 'me',
        password: 'p@ss/word',
        extra: { sslmode: 'require' },
        secretExtra: { sslpassword: 'x' },
      },
    ],
    ['https://api.example/v1', { kind: 'http', host: 'https://api.example', schema: 'v1', port: null }],
    ['http://api.example:80', { kind: 'http', host: 'api.example', port: 80 }],
    ['smtps://me:pw@mail.example:465', { kind: 'smtp', extra: { tls: true }, port: 465 }],
    ['generic://', { kind: 'generic', host: null }],
    ['postgresql://[::1]:5432/x', { kind: 'postgres', host: '::1', port: 5432 }],
    ['postgres://h/..?sslmode=require', { host: 'h', schema: '..', extra: { sslmode: 'require' } }],
    ['postgres://h/%2E', { schema: '.' }],
    ['http://h/a/../b/./c#d', { schema: 'a/../b/./c' }],
    ['postgres:///x', { host: null, schema: 'x' }],
    ['postgres://h/ö\n ', { schema: 'ö' }],
    ['postgres://h?a=/b', { schema: null, extra: { a: '/b' } }],
  ])('%s', (uri, fields) => {
    expect(parseConnectionUri(uri)).toMatchObject(fields);
  });

  it.each([
    ['nonsense', 'It is no URI'],
    ['oracle://h', 'no kind of connection'],
    ['postgres://h:99999999', 'no URI'],
    ['postgres://%zz@h', 'no escape'],
  ])('%s is refused', (uri, message) => {
    expect(parseConnectionUri(uri)).toContain(message);
  });

  it('is read back as it was written', () => {
    const text = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 30 })
      .filter((value) => !/[\0\ud800-\udfff]/.test(value));
    const dots = fc.constantFrom('.', '..', '../x', 'a/./b', 'a/..', '%2e');
    const maybe = fc.option(fc.oneof({ weight: 4, arbitrary: text }, dots), { nil: null });
    const host = fc.stringMatching(/^[a-z][a-z0-9-]{0,20}(\.[a-z]{2,5})?$/);
    fc.assert(
      fc.property(
        host,
        fc.option(fc.integer({ min: 1, max: 65535 }), { nil: null }),
        maybe,
        maybe,
        maybe,
        (h, port, schema, login, password) => {
          const value = {
            id: 'c',
            kind: 'postgres',
            host: h,
            port,
            schema,
            login,
            password,
            extra: { sslmode: 'require' },
          };
          const read = parseConnectionUri(connectionUri(value));
          expect(read).toMatchObject({ host: h, port, schema, login, password, extra: { sslmode: 'require' } });
        },
      ),
    );
  });
});
