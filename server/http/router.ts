/** Which handler a path has. Everything that is not listed is the page. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Db } from '#db/client.ts';
import type { Vault } from '#db/vault.ts';
import type { Logger } from '../log.ts';
import type { LogReader } from '#schema/log-reader.ts';
import { createDownloads } from './downloads.ts';
import { createGitHook } from './git-hook.ts';
import { createGraphiql, GRAPHIQL_FOLDER } from './graphiql.ts';
import { GRAPHQL_PATH } from './graphql.ts';
import { createHealth } from './health.ts';
import { isRefusal, type Identifier } from './identity.ts';
import { createPage } from './page.ts';
import { sendText } from './reply.ts';
import { createScaling } from './scaling.ts';
import { setSecurityHeaders } from './security-headers.ts';
import { createResultTransfers } from './result-transfers.ts';
import { createSignIn } from './sign-in.ts';

export interface RouterDeps {
  db: Db;
  vault: Vault;
  log: Logger;
  logs: LogReader;
  version: string;
  webRoot: string;
  isSecure: boolean;
  graphiql: boolean;
  graphqlHttp(req: IncomingMessage, res: ServerResponse): Promise<void>;
  identifier: Identifier;
  setSession(res: ServerResponse, token: string): void;
  isStopping(): boolean;
}

const DOWNLOADS: ReadonlySet<string> = new Set(['bundles', 'logs', 'artifacts', 'xcoms', 'scaling']);

export function createRouter(deps: RouterDeps) {
  const { db, isSecure, identifier } = deps;
  const health = createHealth(deps);
  const downloads = createDownloads(db, deps.logs);
  const results = createResultTransfers(db);
  const gitHook = createGitHook(deps);
  const scaling = createScaling(db);
  const signIn = createSignIn(deps);
  const page = createPage(deps.webRoot);
  const graphiql = createGraphiql();

  async function download(req: IncomingMessage, res: ServerResponse, parts: readonly string[]): Promise<void> {
    setSecurityHeaders(res, 'data', isSecure);
    const identity = await identifier.identify(req.headers);
    if (isRefusal(identity)) return sendText(res, identity.status, identity.message);
    if (!identity.viewer)
      return sendText(res, 401, 'Sign in first, or send an API token as "Authorization: Bearer …".');
    const [kind, first = '', second = '', ...rest] = parts;
    if (kind === 'bundles' && !second) return downloads.bundle(res, identity.viewer, first);
    if (kind === 'logs' && rest.length === 0) return downloads.log(res, identity.viewer, first, second);
    if (kind === 'artifacts' && rest.length === 0)
      return req.method === 'PUT'
        ? results.put(req, res, identity.viewer, first, second)
        : results.get(res, identity.viewer, first, second);
    if (kind === 'xcoms' && rest.length === 0) return results.xcom(res, identity.viewer, first, second);
    if (kind === 'scaling' && first === 'queues' && second && rest.length === 0)
      return scaling(res, identity.viewer, second);
    return sendText(res, 404, 'There is nothing here.');
  }

  return async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const url = new URL(req.url ?? '/', 'http://server');
    const isReading = req.method === 'GET' || req.method === 'HEAD';
    const isGraphql = url.pathname === GRAPHQL_PATH;
    const asksForGraphiql = deps.graphiql && isGraphql && isReading && !!req.headers.accept?.includes('text/html');
    setSecurityHeaders(res, asksForGraphiql ? 'graphiql' : 'page', isSecure);
    if (asksForGraphiql) return graphiql.page(res);
    if (isGraphql) return deps.graphqlHttp(req, res);
    const parts = pathParts(url.pathname);
    if (req.method === 'PUT' && parts[0] === 'artifacts') return download(req, res, parts);
    if (req.method === 'POST' && parts[0] === 'hooks' && parts[1] === 'git' && parts.length === 3)
      return gitHook(req, res, parts[2] ?? '');
    if (!isReading) return sendText(res, 405, 'Only GET works here. The API is at /graphql.');
    if (url.pathname === '/livez') return health.live(res);
    if (url.pathname === '/readyz') return health.ready(res);
    // Not for HEAD: what looks ahead at a link must not use it up
    if (url.pathname === '/login' && req.method === 'GET' && url.searchParams.has('token')) return signIn(url, res);
    if (DOWNLOADS.has(parts[0] ?? '')) return download(req, res, parts);
    if (deps.graphiql && parts[0] === GRAPHIQL_FOLDER) return graphiql.asset(req, res, parts[1] ?? '');
    return page(req, res);
  };
}

/** Decoded after the split, so that an encoded slash stays part of a name; what cannot be decoded is no name. */
function pathParts(path: string): string[] {
  try {
    return path.slice(1).split('/').map(decodeURIComponent);
  } catch (error) {
    if (error instanceof URIError) return [];
    throw error;
  }
}
