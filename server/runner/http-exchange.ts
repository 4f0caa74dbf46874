/** One HTTP request and its whole answer: redirects followed, body unpacked, all of it within limits. */
import { request as requestHttp, type IncomingMessage } from 'node:http';
import { request as requestHttps, type RequestOptions } from 'node:https';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { anyOf } from '../abort.ts';

export interface HttpRequest {
  method: string;
  url: URL;
  headers: { [name: string]: string };
  body: string | null;
}

export interface HttpAnswer {
  status: number;
  /** Names in lower case; several of one name joined with a comma. */
  headers: { [name: string]: string };
  body: Buffer;
  /** Where it came from after redirects. */
  url: URL;
  redirects: number;
}

export interface ExchangeLimits {
  signal: AbortSignal;
  /** For the whole exchange. */
  timeoutMs: number;
  /** Of the unpacked body. */
  maxBytes: number;
  /** A longer one is cut; otherwise it is an error. */
  cutsBody?: boolean;
  maxRedirects: number;
  /** `rejectUnauthorized`, `ca`, `cert`, `key`. */
  tls: { [option: string]: unknown };
}

/** The request got no (whole) answer. */
export class NoAnswerError extends Error {
  /** Nothing can have been carried out: the service was never reached. */
  readonly neverSent: boolean;
  /** Trying again will not help. */
  readonly final: boolean;
  constructor(message: string, { neverSent = false, final = false, cause }: NoAnswerOptions = {}) {
    super(message, { cause });
    this.name = 'NoAnswerError';
    this.neverSent = neverSent;
    this.final = final;
  }
}
interface NoAnswerOptions {
  neverSent?: boolean;
  final?: boolean;
  cause?: unknown;
}

const NEVER_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);
const KEPT_ON_REDIRECT = new Set([307, 308]);
const REDIRECTS = new Set([301, 302, 303, ...KEPT_ON_REDIRECT]);
const BODY_HEADERS = ['content-type', 'content-length', 'content-encoding', 'transfer-encoding'];
/** Not for another host than the one that they were meant for. */
const isPrivate = (name: string, own: ReadonlySet<string>) =>
  own.has(name) || /^(authorization|cookie|proxy-authorization)$|token|api-?key|secret/i.test(name);

/** `privateHeaders` never go to another origin than the first. */
export async function exchange(
  first: HttpRequest,
  limits: ExchangeLimits,
  privateHeaders: ReadonlySet<string> = new Set(),
): Promise<HttpAnswer> {
  const { signal, release } = anyOf([limits.signal], { timeoutMs: limits.timeoutMs });
  return exchangeWithin(first, { ...limits, signal }, privateHeaders)
    .catch((error: unknown) => {
      if (limits.signal.aborted) throw limits.signal.reason;
      if (signal.aborted) throw new NoAnswerError(`No answer within ${limits.timeoutMs / 1000} s.`, { cause: error });
      throw error;
    })
    .finally(release);
}

/** As far as its signal lets it. */
async function exchangeWithin(
  first: HttpRequest,
  limits: ExchangeLimits,
  privateHeaders: ReadonlySet<string>,
): Promise<HttpAnswer> {
  let request = first;
  for (let redirects = 0; ; redirects++) {
    const answer = await requestOnce(request, limits);
    const location = answer.headers['location'];
    if (!REDIRECTS.has(answer.status) || location === undefined) return { ...answer, redirects };
    if (limits.maxRedirects === 0) return { ...answer, redirects };
    if (redirects >= limits.maxRedirects)
      throw new NoAnswerError(`More than ${limits.maxRedirects} redirects.`, { final: true });
    request = redirected(request, answer.status, location, privateHeaders);
  }
}

function redirected(
  request: HttpRequest,
  status: number,
  location: string,
  privateHeaders: ReadonlySet<string>,
): HttpRequest {
  const url = URL.canParse(location, request.url) ? new URL(location, request.url) : null;
  if (!url || !['http:', 'https:'].includes(url.protocol))
    throw new NoAnswerError('It redirects to something that is not an HTTP address.', { final: true });
  const keeps = KEPT_ON_REDIRECT.has(status) || ['GET', 'HEAD'].includes(request.method);
  const sameOrigin = url.origin === request.url.origin;
  const headers = Object.entries(request.headers).filter(
    ([name]) => (keeps || !BODY_HEADERS.includes(name)) && (sameOrigin || !isPrivate(name, privateHeaders)),
  );
  return {
    method: keeps ? request.method : 'GET',
    url,
    headers: Object.fromEntries(headers),
    body: keeps ? request.body : null,
  };
}

function requestOnce(
  { method, url, headers, body }: HttpRequest,
  { signal, maxBytes, cutsBody = false, tls }: ExchangeLimits,
): Promise<Omit<HttpAnswer, 'redirects'>> {
  const options: RequestOptions = {
    method,
    headers: {
      accept: '*/*',
      'accept-encoding': 'gzip, deflate, br',
      'user-agent': 'millrace',
      ...headers,
      ...(body !== null && { 'content-length': Buffer.byteLength(body) }),
    },
    agent: false,
    signal,
    ...(url.protocol === 'https:' ? tls : {}),
  };
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException) =>
      reject(
        error instanceof NoAnswerError
          ? error
          : new NoAnswerError(describe(error), { cause: error, neverSent: NEVER_SENT.has(error.code ?? '') }),
      );
    const send = url.protocol === 'https:' ? requestHttps : requestHttp;
    const sent = send(url, options, (response) => {
      const body = hasBody(method, response) ? readBody(response, maxBytes, cutsBody) : noBody(response);
      body.then((bytes) => resolve(answerOf(response, bytes, url)), fail);
    });
    sent.on('error', fail);
    sent.end(body ?? undefined);
  });
}

function answerOf(response: IncomingMessage, body: Buffer, url: URL): Omit<HttpAnswer, 'redirects'> {
  const headers = Object.fromEntries(
    Object.entries(response.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value!]),
  );
  return { status: response.statusCode ?? 0, headers, body, url };
}

function unpacked(response: IncomingMessage): Readable {
  const encoding = response.headers['content-encoding']?.toLowerCase();
  if (encoding === 'gzip' || encoding === 'x-gzip') return response.pipe(createGunzip());
  if (encoding === 'deflate') return response.pipe(createInflate());
  if (encoding === 'br') return response.pipe(createBrotliDecompress());
  return response;
}

/** Headers may speak of a packed body that such an answer never has. */
const hasBody = (method: string, { statusCode, headers }: IncomingMessage): boolean =>
  method !== 'HEAD' && statusCode !== 204 && statusCode !== 304 && headers['content-length'] !== '0';

async function noBody(response: IncomingMessage): Promise<Buffer> {
  response.resume();
  if (!response.readableEnded) await once(response, 'end');
  return Buffer.alloc(0);
}

async function readBody(response: IncomingMessage, maxBytes: number, cuts: boolean): Promise<Buffer> {
  const parts: Buffer[] = [];
  let bytes = 0;
  const stream = unpacked(response);
  if (stream !== response) response.on('error', (error) => stream.destroy(error));
  // A connection that breaks in the middle ends a plain answer without an error in some versions of Node
  response.on('aborted', () => stream.destroy(new Error('The connection broke in the middle of the answer')));
  for await (const part of stream as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > maxBytes) {
      response.destroy();
      if (cuts) return Buffer.concat([...parts, part]).subarray(0, maxBytes);
      throw new NoAnswerError(
        `The answer has more than ${Math.floor(maxBytes / 2 ** 20)} MiB. Let a task of your own write it to a file or table.`,
        { final: true },
      );
    }
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function describe(error: NodeJS.ErrnoException & { errors?: Error[] }): string {
  if (error.message === '' && error.errors?.[0]) return describe(error.errors[0]);
  return `${error.message || error.code || error.name}.`.replace(/\.\.$/, '.');
}
