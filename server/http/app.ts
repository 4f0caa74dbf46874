/** The HTTP server: API, sign-in, downloads, health and page on one port. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import compression from 'compression';
import type pg from 'pg';
import type { Db } from '#db/client.ts';
import type { Listener } from '#db/listen.ts';
import type { Vault } from '#db/vault.ts';
import type { ApiEngine } from '#schema/context.ts';
import type { LogReader } from '#schema/log-reader.ts';
import { createAccess, type AccessRequest } from '../auth/access.ts';
import { createAccessWatch } from '../auth/access-watch.ts';
import { createAuthenticator } from '../auth/authenticate.ts';
import { createLoginThrottle } from '../auth/login-throttle.ts';
import { createPodExchange, type TokenReviewers } from '../auth/pod-exchange.ts';
import { createRunnerTokens } from '../auth/runner-token.ts';
import { SESSION_LIMITS } from '../auth/sessions.ts';
import { createDoctor } from '../doctor/doctor.ts';
import { createEventStreams } from '../events/event-streams.ts';
import type { EventLimits } from '../events/run-events.ts';
import { createClusterClients, type ClusterClientsDeps } from '../executors/kubernetes/cluster-clients.ts';
import { createClusterStatus } from '../executors/kubernetes/cluster-status.ts';
import type { Logger } from '../log.ts';
import { createLogReader } from '../logs/log-reader.ts';
import { createLogStores, ONLY_POSTGRES } from '../logs/log-stores.ts';
import { GIT_POLICY, type GitPolicy } from '#sdk/git-policy.ts';
import { createSessionCookie } from './cookie.ts';
import { createGraphqlHttp } from './graphql-http.ts';
import { createGraphqlSocket } from './graphql-socket.ts';
import { createGraphql, GRAPHQL_PATH } from './graphql.ts';
import { hashBundle } from './hash-bundle.ts';
import { createIdentifier } from './identity.ts';
import { createOriginCheck } from './origin.ts';
import { createRouter } from './router.ts';

export interface AppDeps {
  db: Db;
  pool: pg.Pool;
  /** The caller starts and stops it. */
  listener: Pick<Listener, 'on' | 'onResync'>;
  engine: ApiEngine;
  /** Reads logs from wherever they lie; in Postgres alone unless given. */
  logs?: LogReader;
  log: Logger;
  /** 32 bytes: signs the tokens of runners. */
  secretKey: Buffer;
  /** Former ones: tokens of tasks that still run are signed with them. */
  oldSecretKeys?: readonly Buffer[];
  vault: Vault;
  /** Who is asked about the tokens of Pods; the clusters themselves unless given. */
  reviewers?: TokenReviewers;
  version: string;
  /** Folder of the built page. */
  webRoot: string;
  host?: string;
  /** Where browsers reach the page, if that is not where the server listens. */
  publicUrl?: string | null;
  graphiql?: boolean;
  eventLimits?: EventLimits;
  /** Which Git repositories may be read; by https and ssh unless given. */
  gitPolicy?: GitPolicy;
  onClusterRequest?: ClusterClientsDeps['onRequest'];
}

export interface App {
  /** Resolves to the address once it listens; port 0 takes a free one. */
  start(port: number): Promise<string>;
  /** Where it listens. */
  url(): string;
  stop(): Promise<void>;
}

const REQUEST_TIMEOUT_MS = 60_000;
/** Requests that run may end; streams are told to come back elsewhere. */
const DRAIN_MS = 5_000;
/** A page or a Pod waits for the answer. */
const CLUSTER_TIMEOUT_MS = 5_000;

export function createApp(deps: AppDeps): App {
  const { host = '127.0.0.1', log } = deps;
  const parts = createParts(deps);
  const gzip = compression({ filter: (req, res) => !isStreamed(res) && compression.filter(req, res) });
  const server = createServer((req, res) => {
    // Its types are Express's; it uses only what node:http has
    gzip(req as never, res as never, () => {
      parts.route(req, res).catch((error: unknown) => fail(res, error, log));
    });
  });
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.on('upgrade', (req, socket, head) => {
    socket.on('error', () => socket.destroy());
    if (pathOf(req) !== GRAPHQL_PATH) return void socket.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n');
    parts.socket.upgrade(req, socket, head).catch((error: unknown) => {
      log.error({ error }, 'a socket could not be opened');
      socket.destroy();
    });
  });

  return {
    async start(port) {
      await listen(server, port, host);
      return addressOf(server, host);
    },
    url: () => addressOf(server, host),
    async stop() {
      parts.beginStop();
      await parts.socket.stop();
      await close(server);
      await parts.stop();
    },
  };
}

function createParts(deps: AppDeps) {
  const { db, pool, engine, listener, log, publicUrl = null, version } = deps;
  const isSecure = publicUrl?.startsWith('https:') ?? false;
  const cookie = createSessionCookie(isSecure);
  const runnerTokens = createRunnerTokens(deps.secretKey, Date.now, deps.oldSecretKeys);
  const authenticator = createAuthenticator({ db, listener, runnerTokens });
  const watch = createAccessWatch({ authenticator, listener, log });
  const limits = deps.eventLimits;
  const logs = deps.logs ?? createLogReader({ db, stores: createLogStores(ONLY_POSTGRES) });
  const events = createEventStreams({ db, logs, listener, log, ...(limits ? { limits } : {}) });
  const clients = createClusterClients({
    ...{ db, vault: deps.vault, listener, timeoutMs: CLUSTER_TIMEOUT_MS },
    userAgent: `millrace/${version} (api)`,
    ...(deps.onClusterRequest && { onRequest: deps.onClusterRequest }),
    onError: (error) => log.warn({ error }, 'a cluster could not be read'),
  });
  const clusters = createClusterStatus({ db, clients });
  const graphql = createGraphql({
    shared: {
      ...{ db, pool, engine, events, logs, clusters, vault: deps.vault, hashBundle, version },
      gitPolicy: deps.gitPolicy ?? GIT_POLICY,
      doctor: createDoctor({ db, pool, version, logs }),
    },
    log,
  });
  const { reviewers = clients } = deps;
  const podExchange = createPodExchange({ db, engine, reviewers, log });
  const accessDeps = { db, throttle: createLoginThrottle(db), runnerTokens, podExchange };
  let isStopping = false;
  const setSession = (res: ServerResponse, token: string | null) =>
    void res.setHeader(
      'set-cookie',
      token === null ? cookie.clear() : cookie.set(token, SESSION_LIMITS.absoluteSeconds),
    );
  const shared = {
    graphql,
    identifier: createIdentifier(authenticator, cookie),
    origins: createOriginCheck(publicUrl),
    watch,
    createAccess: (request: AccessRequest) => createAccess(accessDeps, request),
    log,
  };
  return {
    socket: createGraphqlSocket(shared),
    route: createRouter({
      db,
      vault: deps.vault,
      log,
      logs,
      version,
      webRoot: deps.webRoot,
      isSecure,
      graphiql: deps.graphiql ?? false,
      graphqlHttp: createGraphqlHttp({ ...shared, setSession }),
      identifier: shared.identifier,
      setSession,
      isStopping: () => isStopping,
    }),
    beginStop: () => (isStopping = true),
    async stop() {
      watch.stop();
      authenticator.stop();
      clients.stop();
      await events.stop();
      await graphql.dispose();
    },
  };
}

export const pathOf = (req: IncomingMessage): string => (req.url ?? '/').split('?', 1)[0] ?? '/';

/** An event stream must not wait in a compressor; a bundle is compressed already. */
const isStreamed = (res: ServerResponse): boolean =>
  /event-stream|gzip/.test(String(res.getHeader('content-type') ?? ''));

function fail(res: ServerResponse, error: unknown, log: Logger): void {
  log.error({ error }, 'a request failed');
  if (res.headersSent) return void res.destroy();
  res.writeHead(500, { 'content-type': 'text/plain; charset=utf-8' });
  res.end('Something went wrong in the service; its log says what.\n');
}

function addressOf(server: Server, host: string): string {
  const address = server.address() as AddressInfo | null;
  if (!address) throw new Error('The server does not listen yet: call start first.');
  return `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`;
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

async function close(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
  await closed;
  clearTimeout(timer);
}
