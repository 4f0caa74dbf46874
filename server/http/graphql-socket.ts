/** GraphQL over WebSocket (graphql-transport-ws). It does not pass through the HTTP handler, so every rule is enforced here again. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { GraphQLError, type ExecutionArgs, type ExecutionResult } from 'graphql';
import { CloseCode, makeServer, type Context as SocketContext, type ServerOptions } from 'graphql-ws';
import type { WebSocket } from 'ws';
import type { Viewer } from '#schema/context.ts';
import type { AccessRequest } from '../auth/access.ts';
import type { AccessWatch } from '../auth/access-watch.ts';
import type { Logger } from '../log.ts';
import type { Caller, Graphql } from './graphql.ts';
import { isRefusal, type Identifier } from './identity.ts';
import { createMaskError } from './mask-error.ts';
import type { OriginCheck } from './origin.ts';
import { closeSocketServer, createSocketServer, type SocketExtra } from './socket-adapter.ts';
import { deliver } from './socket-delivery.ts';

const INIT_TIMEOUT_MS = 3_000;
const PING_MS = 15_000;
const KIB = 1024;
/** Reports carry results; who sends them says so at once, with an Authorization header on the upgrade. */
const LARGEST_MESSAGE = { people: 256 * KIB, runners: 32 * 1024 * KIB };
const MOST_OPERATIONS = 100;
const MOST_SOCKETS = { session: 50, token: 1_000, runner: 20 };
const ACCESS_CHANGED = 4001;
const TOO_MANY_SOCKETS = 4429;

interface Known extends SocketExtra {
  /** By the upgrade request; undefined: by the first message. */
  viewer?: Viewer | null | undefined;
}
type ConnectionParams = { authorization?: unknown };
type Connection = SocketContext<ConnectionParams, Known>;

interface Run extends ExecutionArgs {
  execute(args: ExecutionArgs): Promise<ExecutionResult>;
  subscribe(args: ExecutionArgs): Promise<AsyncIterableIterator<ExecutionResult> | ExecutionResult>;
  target: { socket: WebSocket; id: string; isOpen(): boolean };
}

export interface GraphqlSocketDeps {
  graphql: Graphql;
  identifier: Identifier;
  origins: OriginCheck;
  watch: AccessWatch;
  createAccess(request: AccessRequest): Caller['access'];
  log: Logger;
}

export interface GraphqlSocket {
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): Promise<void>;
  /** Tells every client to come back, to this or another server. */
  stop(): Promise<void>;
}

export function createGraphqlSocket(deps: GraphqlSocketDeps): GraphqlSocket {
  const { identifier, origins } = deps;
  const upgraded = new WeakMap<IncomingMessage, Viewer | null>();
  const protocol = makeServer(socketOptions(deps, upgraded));
  const listen = (maxPayload: number) => createSocketServer(protocol, { maxPayload, pingMs: PING_MS, log: deps.log });
  const people = listen(LARGEST_MESSAGE.people);
  const runners = listen(LARGEST_MESSAGE.runners);

  return {
    async upgrade(req, socket, head) {
      const identity = await identifier.identify(req.headers);
      if (isRefusal(identity)) return refuse(socket, identity.status, identity.message);
      const isOwn = origins.isOwn(req.headers);
      // A cookie comes along with whatever page opens the socket, so it counts only from our own
      if (isOwn === false || (identity.hasCookie && isOwn !== true)) return refuse(socket, 403, 'Foreign origin.');
      const { viewer, hasCookie } = identity;
      if (viewer || hasCookie) upgraded.set(req, viewer);
      const server = viewer?.role === 'worker' || viewer?.role === 'runner' ? runners : people;
      server.handleUpgrade(req, socket, head, (ws) => server.emit('connection', ws, req));
    },
    async stop() {
      await Promise.all([closeSocketServer(people), closeSocketServer(runners)]);
    },
  };
}

const STATUS: { [status: number]: string } = { 400: 'Bad Request', 401: 'Unauthorized', 403: 'Forbidden' };

function refuse(socket: Duplex, status: number, message: string): void {
  socket.end(
    `HTTP/1.1 ${status} ${STATUS[status]}\r\nconnection: close\r\ncontent-type: text/plain\r\ncontent-length: ${Buffer.byteLength(message)}\r\n\r\n${message}`,
  );
}

function socketOptions(
  deps: GraphqlSocketDeps,
  upgraded: WeakMap<IncomingMessage, Viewer | null>,
): ServerOptions<ConnectionParams, Known> {
  const admit = createAdmission(deps.watch);
  return {
    connectionInitWaitTimeout: INIT_TIMEOUT_MS,
    async onConnect(connection) {
      const { extra, connectionParams } = connection;
      const given = connectionParams?.authorization;
      const byUpgrade = upgraded.get(extra.request);
      if (given !== undefined && byUpgrade !== undefined)
        return close(extra.socket, CloseCode.BadRequest, 'Two credentials');
      const viewer = typeof given === 'string' ? await deps.identifier.ofBearer(given) : byUpgrade;
      if (!viewer) return close(extra.socket, CloseCode.Unauthorized, 'Unauthorized');
      extra.viewer = viewer;
      return admit(extra.socket, viewer);
    },
    onSubscribe: (connection, id, { query, variables, operationName }) =>
      prepare(deps, connection, { id, query, variables, operationName }),
    execute: (args) => (args as Run).execute(args),
    async subscribe(args) {
      const { subscribe, target } = args as Run;
      const results = await subscribe(args);
      return Symbol.asyncIterator in results ? deliver(results, target) : results;
    },
  };
}

/** `false` keeps it unacknowledged, so that nothing it sends while it closes is run; its own, vaguer close then comes too late. */
function close(socket: WebSocket, code: number, reason: string): false {
  socket.close(code, reason);
  return false;
}

/** Counts the sockets of each credential and ends them with their access. */
function createAdmission(watch: AccessWatch) {
  const open = new Map<string, number>();
  return (socket: WebSocket, viewer: Viewer): boolean => {
    const key = JSON.stringify([viewer.credential, viewer.dispatchId]);
    const count = open.get(key) ?? 0;
    if (count >= MOST_SOCKETS[viewer.credential.kind]) return close(socket, TOO_MANY_SOCKETS, 'Too many sockets');
    open.set(key, count + 1);
    const unwatch = watch.add(viewer, (why) =>
      why === 'expired'
        ? socket.close(CloseCode.Unauthorized, 'Access has ended')
        : socket.close(ACCESS_CHANGED, 'Access has changed: connect again'),
    );
    socket.once('close', () => {
      unwatch();
      const left = (open.get(key) ?? 1) - 1;
      if (left > 0) open.set(key, left);
      else open.delete(key);
    });
    return true;
  };
}

interface Message {
  id: string;
  query: string;
  variables?: Record<string, unknown> | null | undefined;
  operationName?: string | null | undefined;
}

/** Parses and validates in the shared pipeline. A throw would close the socket with all its other operations, so none leaves here. */
async function prepare(
  { graphql, createAccess, log }: GraphqlSocketDeps,
  connection: Connection,
  { id, query, variables, operationName }: Message,
): Promise<Run | readonly GraphQLError[]> {
  const { extra, subscriptions } = connection;
  if (Object.keys(subscriptions).length > MOST_OPERATIONS)
    return [new GraphQLError(`A socket has at most ${MOST_OPERATIONS} operations at once.`)];
  const viewer = extra.viewer ?? null;
  const access = createAccess({ viewer, address: extra.request.socket.remoteAddress ?? '', setSession: null });
  try {
    const caller: Caller = { viewer, access };
    const { schema, execute, subscribe, contextFactory, parse, validate } = graphql.getEnveloped(caller as never);
    const document = parse(query);
    const errors = validate(schema, document) as readonly GraphQLError[];
    if (errors.length > 0) return errors;
    return {
      schema,
      document,
      operationName: operationName ?? null,
      variableValues: variables ?? null,
      contextValue: await contextFactory(),
      execute,
      subscribe,
      target: { socket: extra.socket, id, isOpen: () => id in connection.subscriptions },
    };
  } catch (error) {
    return [createMaskError(log)(error)];
  }
}
