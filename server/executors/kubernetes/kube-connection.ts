/** HTTP to one Kubernetes API: its own connections, its own credentials (read again as they rotate), every request bounded. */
import { request as requestHttp, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { request as requestHttps } from 'node:https';
import { anyOf, type Bounded } from '../../abort.ts';
import { isPlainObject } from '#sdk/spec-fields.ts';
import { createClusterClock } from './cluster-clock.ts';
import type { ClusterCredentials } from './credentials.ts';
import { errorOfAnswer, KubeError } from './kube-error.ts';
import { createIdentity, withoutSecrets, type Identity } from './kube-identity.ts';

export interface KubeRequest {
  /** As RBAC and metrics name it: `create`, `get`, `list`, `watch`, `delete`. */
  verb: string;
  /** `pods`, `pods/log`, … */
  resource: string;
  method: 'GET' | 'POST' | 'DELETE' | 'PATCH';
  path: string;
  /** Entries without a value are left out. */
  query?: { [name: string]: string | number | boolean | null | undefined };
  body?: unknown;
  /** For the whole answer; of a stream: until it begins. */
  timeoutMs?: number;
  signal?: AbortSignal;
}

/** `status`: 0 when there was no answer. */
export type OnRequest = (verb: string, resource: string, status: number, seconds: number) => void;

export interface ConnectionOptions {
  credentials: ClusterCredentials;
  userAgent: string;
  timeoutMs: number;
  onRequest: OnRequest;
}

export interface KubeConnection {
  /** The answer's JSON. @throws KubeError */
  json<T>(request: KubeRequest): Promise<T>;
  /** An answer that comes bit by bit. Whoever takes it reads it to its end or destroys it. @throws KubeError */
  stream(request: KubeRequest): Promise<IncomingMessage>;
  /** What its clock is ahead of this one's, in milliseconds. */
  clockOffset(): number;
  /** Ends all requests under way; those that come later fail at once. */
  close(): void;
}

const MOST_ANSWER_BYTES = 64 * 1024 * 1024;
const KEEP_ALIVE_MS = 30_000;

function urlOf(server: URL, { path, query = {} }: KubeRequest): URL {
  const url = new URL(`${server.pathname.replace(/\/$/, '')}${path}`, server);
  for (const [name, value] of Object.entries(query))
    if (value !== undefined && value !== null) url.searchParams.set(name, String(value));
  return url;
}

function noAnswer(error: NodeJS.ErrnoException, request: KubeRequest, connected: boolean): KubeError {
  const what = !connected ? 'The API server cannot be reached' : 'The API server gave no answer';
  const why =
    error.name === 'TimeoutError'
      ? `none within the time allowed for ${request.verb} ${request.resource}`
      : error.message;
  return new KubeError(`${what}: ${why || error.code || 'connection failed'}`, {
    status: 0,
    neverSent: !connected,
    cause: error,
  });
}

interface Sending {
  identity: Identity;
  request: KubeRequest;
  userAgent: string;
  signal: AbortSignal;
}

/** Until the answer's head is there. */
function send({ identity, request, userAgent, signal }: Sending): Promise<IncomingMessage> {
  const url = urlOf(identity.server, request);
  const body = request.body === undefined ? null : JSON.stringify(request.body);
  const headers: OutgoingHttpHeaders = { accept: 'application/json', 'user-agent': userAgent, ...identity.headers };
  if (body !== null) {
    headers['content-type'] = request.method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    headers['content-length'] = Buffer.byteLength(body);
  }
  return new Promise((resolve, reject) => {
    let connected = false;
    const open = url.protocol === 'https:' ? requestHttps : requestHttp;
    const sent = open(url, { method: request.method, headers, agent: identity.agent, signal });
    sent.on('socket', (socket) => {
      if (!socket.connecting) connected = true;
      else socket.once(url.protocol === 'https:' ? 'secureConnect' : 'connect', () => (connected = true));
    });
    sent.on('response', resolve);
    sent.on('error', (error: NodeJS.ErrnoException) => {
      const cause = (signal.aborted && signal.reason instanceof Error ? signal.reason : error) as NodeJS.ErrnoException;
      reject(Object.assign(noAnswer(cause, request, connected), { staleSocket: sent.reusedSocket && !signal.aborted }));
    });
    sent.end(body ?? undefined);
  });
}

async function readText(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MOST_ANSWER_BYTES) throw new Error(`an answer of more than ${MOST_ANSWER_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseJson<T>(body: string, status: number): T {
  const refused = (what: string, cause?: unknown) =>
    new KubeError(`The API server answered with something that is ${what}.`, { status, cause });
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch (error) {
    throw refused('not JSON', error);
  }
  // All that a Kubernetes API says is objects: whoever asked may look into it
  if (!isPlainObject(parsed)) throw refused('no object: it is no Kubernetes API');
  return parsed as T;
}

/** Connects at the first request. */
export function createKubeConnection({
  credentials,
  userAgent,
  timeoutMs,
  onRequest,
}: ConnectionOptions): KubeConnection {
  const identities = createIdentity(credentials);
  const clock = createClusterClock();
  const closing = new AbortController();

  const bound = ({ signal, timeoutMs: most = timeoutMs }: KubeRequest): Bounded =>
    anyOf(signal ? [signal, closing.signal] : [closing.signal], { timeoutMs: most });

  async function text(answer: IncomingMessage, request: KubeRequest): Promise<string> {
    try {
      return await readText(answer);
    } catch (error) {
      throw noAnswer(error as Error, request, true);
    }
  }

  /** A connection that the server had closed while it lay idle is no answer: such a request is sent once more. */
  async function sendTwice(sending: Sending): Promise<IncomingMessage> {
    try {
      return await send(sending);
    } catch (error) {
      if (!(error instanceof KubeError && 'staleSocket' in error && error.staleSocket)) throw error;
      return send(sending);
    }
  }

  /** The head of a 2xx answer. */
  async function begin(request: KubeRequest, signal: AbortSignal): Promise<IncomingMessage> {
    const identity = await identities.get();
    let answer = await sendTwice({ identity, request, userAgent, signal });
    if (answer.statusCode === 401 && (await identities.renew(identity))) {
      answer.resume();
      answer = await sendTwice({ identity: await identities.get(), request, userAgent, signal });
    }
    clock.heard(answer.headers.date);
    const status = answer.statusCode ?? 0;
    if (status >= 200 && status < 300) return answer;
    throw errorOfAnswer(status, answer.headers, withoutSecrets(await text(answer, request), identity));
  }

  async function measured<T>(
    request: KubeRequest,
    work: () => Promise<T>,
    statusOf: (result: T) => number,
  ): Promise<T> {
    const startedAt = performance.now();
    const note = (status: number) =>
      onRequest(request.verb, request.resource, status, (performance.now() - startedAt) / 1000);
    try {
      const result = await work();
      note(statusOf(result));
      return result;
    } catch (error) {
      note(error instanceof KubeError ? error.status : 0);
      throw error;
    }
  }

  async function json<T>(request: KubeRequest): Promise<T> {
    const bounds = bound(request);
    const work = async () => {
      const answer = await begin(request, bounds.signal);
      return { status: answer.statusCode ?? 0, body: await text(answer, request) };
    };
    try {
      const { status, body } = await measured(request, work, (result) => result.status);
      return parseJson<T>(body, status);
    } finally {
      bounds.release();
    }
  }

  async function stream(request: KubeRequest): Promise<IncomingMessage> {
    const bounds = bound(request);
    const work = () => begin(request, bounds.signal);
    try {
      const answer = await measured(request, work, (result) => result.statusCode ?? 0);
      bounds.untimed();
      // Streams may be silent for long: only the system notices that the other side is no more.
      answer.socket.setKeepAlive(true, KEEP_ALIVE_MS);
      answer.once('close', bounds.release);
      return answer;
    } catch (error) {
      bounds.release();
      throw error;
    }
  }

  return {
    json,
    stream,
    clockOffset: clock.offsetMs,
    close() {
      closing.abort(new Error('the cluster was closed'));
      identities.destroy();
    },
  };
}
