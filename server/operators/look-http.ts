/** One look of a sensor for an HTTP answer. */
import type { ConnectionValue, Json } from '#sdk/protocol.ts';
import type { Look } from '#sdk/poke.ts';
import type { HttpTarget } from '#sdk/waiting-spec.ts';

const MOST_BYTES = 2 ** 20;
const TIMEOUT_MS = 20_000;

export async function lookHttp(
  target: HttpTarget,
  connections: { readonly [id: string]: ConnectionValue },
  signal: AbortSignal,
): Promise<Look> {
  const { url, headers } = addressOf(target, connections);
  const within = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
  let response: Response;
  try {
    const { method, body } = target;
    response = await fetch(url, { method, headers: { ...headers, ...target.headers }, body, signal: within });
  } catch (error) {
    // Not up yet is what one waits for to end
    return { found: false, note: `no answer from ${url.host}: ${reasonOf(error)}` };
  }
  const { status } = response;
  if (matches(status, target.failStatus)) return { failed: `${url.host} answered ${status}, which fails it.` };
  const text = target.method === 'HEAD' ? '' : await readText(response);
  if (!matches(status, target.status)) return { found: false, note: `status ${status}` };
  if (target.contains !== null && !text.includes(target.contains))
    return { found: false, note: `status ${status}, without the text '${target.contains.slice(0, 100)}'` };
  const value = jsonOf(text);
  for (const [path, expected] of Object.entries(target.json)) {
    const seen = valueAt(value, path);
    if (!sameJson(seen, expected))
      return { found: false, note: `${path} is ${(JSON.stringify(seen) ?? 'absent').slice(0, 100)}` };
  }
  return { found: true, value: { status, body: value ?? text } };
}

function addressOf(target: HttpTarget, connections: { readonly [id: string]: ConnectionValue }) {
  if (target.connection === null) return { url: parseUrl(target.url ?? '', 'for.http.url'), headers: {} };
  const connection = connections[target.connection];
  if (!connection) throw new Error(`There is no connection '${target.connection}'.`);
  const { host, port, schema, login, password, extra } = connection;
  const written = host !== null && /^https?:\/\//i.test(host) ? host : `${schema ?? 'http'}://${host ?? ''}`;
  const base = parseUrl(written, `The host of connection '${target.connection}'`);
  if (port !== null) base.port = String(port);
  const above = base.pathname.replace(/\/+$/, '');
  const url = parseUrl(`${base.origin}${above}/${(target.path ?? '').replace(/^\/+/, '')}`, 'for.http.path');
  const headers: { [name: string]: string } = {};
  if (typeof extra['token'] === 'string') headers['authorization'] = `Bearer ${extra['token']}`;
  else if (login) headers['authorization'] = `Basic ${Buffer.from(`${login}:${password ?? ''}`).toString('base64')}`;
  return { url, headers };
}

function parseUrl(text: string, field: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url || !['http:', 'https:'].includes(url.protocol))
    throw new Error(`${field} is not an address that starts with http:// or https://.`);
  return url;
}

const matches = (status: number, patterns: readonly string[]): boolean =>
  patterns.some(
    (pattern) => pattern === String(status) || (pattern.endsWith('xx') && pattern[0] === String(status)[0]),
  );

/** What is beyond the limit is not looked at. */
async function readText(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  if (!response.body) return '';
  for await (const part of response.body as unknown as AsyncIterable<Uint8Array>) {
    parts.push(part);
    bytes += part.length;
    if (bytes > MOST_BYTES) break;
  }
  return Buffer.concat(parts).toString('utf8').slice(0, MOST_BYTES);
}

function jsonOf(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

/** `data.items.0.state` */
function valueAt(value: Json | undefined, path: string): Json | undefined {
  let at: Json | undefined = value;
  for (const key of path.split('.')) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as { [key: string]: Json })[key];
  }
  return at;
}

const sameJson = (a: Json | undefined, b: Json): boolean => JSON.stringify(a) === JSON.stringify(b);

function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error ? cause.message || cause.name : String(cause);
}
