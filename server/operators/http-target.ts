/** Where an http task's request goes, and what a connection adds to it. */
import type { ConnectionValue, Json } from '#sdk/protocol.ts';

/**
 * The connection's base address: `host` may be a name or a whole URL; `schema` is `http` or `https`, or the path that all requests are
 * below.
 */
export function baseOf(connection: ConnectionValue): URL {
  const { id, host, port, schema } = connection;
  if (!host) throw new Error(`The connection '${id}' has no host. Set its host, e.g. 'https://api.example.com'.`);
  const scheme = /^https?$/i.exec(schema ?? '')?.[0].toLowerCase();
  const written = /^[a-z][\w+.-]*:\/\//i.test(host) ? host : `${scheme ?? 'http'}://${host}`;
  const base = URL.canParse(written) ? new URL(written) : null;
  if (!base || !['http:', 'https:'].includes(base.protocol))
    throw new Error(`The host of connection '${id}' is no address for HTTP. Write a name, or https://…`);
  if (port !== null) base.port = String(port);
  return schema && !scheme ? belowBase(base, schema) : base;
}

/** Below the base: whatever the path says, the request stays with the connection's host. */
export function belowBase(base: URL, path: string): URL {
  const above = base.pathname.replace(/\/+$/, '');
  return new URL(`${base.origin}${above}/${path.replace(/^\/+/, '')}`);
}

export function absoluteUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url || !['http:', 'https:'].includes(url.protocol))
    throw new Error(`url: '${withoutSecrets(text)}' is not an address that starts with http:// or https://.`);
  return url;
}

/** A list is a parameter more than once; null leaves it out. */
export function addQuery(url: URL, query: { readonly [name: string]: Json }): void {
  for (const [name, value] of Object.entries(query)) {
    for (const item of Array.isArray(value) ? value : [value]) {
      if (item === null) continue;
      if (typeof item === 'object') throw new Error(`query.${name}: an object cannot be a parameter of the query.`);
      url.searchParams.append(name, String(item));
    }
  }
}

/** Its login (Basic), or `token` of its extra (Bearer), and `headers` of its extra. */
export function connectionHeaders(connection: ConnectionValue): { [name: string]: string } {
  const { login, password, extra } = connection;
  const headers: { [name: string]: string } = {};
  const token = extra?.['token'];
  if (typeof token === 'string') headers['authorization'] = `Bearer ${token}`;
  else if (login !== null && login !== '')
    headers['authorization'] = `Basic ${Buffer.from(`${login}:${password ?? ''}`).toString('base64')}`;
  const own = extra?.['headers'];
  if (typeof own === 'object' && own !== null && !Array.isArray(own))
    for (const [name, value] of Object.entries(own)) headers[name.toLowerCase()] = String(value);
  return headers;
}

export const lowerCased = (headers: { readonly [name: string]: string }): { [name: string]: string } =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

/** Of the connection's extra: whom to trust, and who asks, as PEM. */
export function tlsOf(connection: ConnectionValue | null, verifies: boolean): { [option: string]: unknown } {
  const extra = connection?.extra ?? {};
  const pem = Object.fromEntries(
    ['ca', 'cert', 'key', 'passphrase', 'servername'].flatMap((name) =>
      typeof extra[name] === 'string' ? [[name, extra[name]]] : [],
    ),
  );
  return { ...pem, rejectUnauthorized: verifies };
}

const SECRET_NAME = /pass|secret|token|key|auth|signature|sig$|credential|session/i;

/** An address that may stand in a log: without its login, and without the values of parameters that sound secret. */
export function withoutSecrets(address: string | URL): string {
  const text = String(address);
  if (!URL.canParse(text)) return text.replace(/\/\/[^/@]*@/, '//');
  const url = new URL(text);
  url.username = '';
  url.password = '';
  for (const name of [...url.searchParams.keys()]) if (SECRET_NAME.test(name)) url.searchParams.set(name, '***');
  return url.href;
}
