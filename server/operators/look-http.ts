/** One look of a sensor for an HTTP answer. */
import { isDeepStrictEqual } from 'node:util';
import { dottedPath, parseJsonPath, valueAt, type JsonPath } from '#sdk/json-path.ts';
import type { ConnectionValue, Json } from '#sdk/protocol.ts';
import type { Look } from '#sdk/poke.ts';
import type { HttpTarget } from '#sdk/waiting-spec.ts';
import { exchange, type HttpAnswer, type HttpRequest } from '../runner/http-exchange.ts';
import { namedConnection } from './connection-of.ts';
import { matchesStatus } from './http-retry.ts';
import { absoluteUrl, baseOf, belowBase, connectionHeaders, lowerCased, tlsOf } from './http-target.ts';

/** What is beyond is not looked at. */
const MOST_BYTES = 2 ** 20;
const TIMEOUT_MS = 20_000;
const MOST_REDIRECTS = 20;

export async function lookHttp(
  target: HttpTarget,
  connections: { readonly [id: string]: ConnectionValue },
  signal: AbortSignal,
): Promise<Look> {
  const connection = target.connection === null ? null : namedConnection(connections, target.connection);
  const own = connection ? connectionHeaders(connection) : {};
  const request: HttpRequest = {
    method: target.method,
    url: connection ? belowBase(baseOf(connection), target.path ?? '') : absoluteUrl((target.url ?? '').trim()),
    headers: { ...own, ...lowerCased(target.headers) },
    body: target.body,
  };
  const limits = {
    signal,
    timeoutMs: TIMEOUT_MS,
    maxBytes: MOST_BYTES,
    cutsBody: true,
    maxRedirects: MOST_REDIRECTS,
    tls: tlsOf(connection, true),
  };
  let answer: HttpAnswer;
  try {
    answer = await exchange(request, limits, new Set(Object.keys(own)));
  } catch (error) {
    // Not up yet is what one waits for to end
    return { found: false, note: `no answer from ${request.url.host}: ${messageOf(error)}` };
  }
  return judge(target, answer);
}

function judge(target: HttpTarget, { status, body, url }: HttpAnswer): Look {
  if (matchesStatus(status, target.failStatus)) return { failed: `${url.host} answered ${status}, which fails it.` };
  if (!matchesStatus(status, target.status)) return { found: false, note: `status ${status}` };
  const text = body.toString('utf8');
  if (target.contains !== null && !text.includes(target.contains))
    return { found: false, note: `status ${status}, without the text '${target.contains.slice(0, 100)}'` };
  const value = jsonOf(text);
  for (const [path, expected] of Object.entries(target.json)) {
    const found = value === undefined ? undefined : valueAt(value, pathOf(path));
    if (!isDeepStrictEqual(found, expected))
      return { found: false, note: `${path} is ${(JSON.stringify(found) ?? 'absent').slice(0, 100)}` };
  }
  return { found: true, value: { status, body: value ?? text } };
}

/** `$.items[0].state`, or in short `items.0.state`. */
function pathOf(text: string): JsonPath {
  if (!text.startsWith('$')) return dottedPath(text);
  const path = parseJsonPath(text);
  if (typeof path === 'string') throw new Error(`for.http.json: ${text} is not a path. ${path}`);
  return path;
}

function jsonOf(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message || error.name : String(error));
