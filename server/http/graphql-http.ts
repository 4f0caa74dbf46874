/** GraphQL over HTTP and SSE: what must hold before a request is read at all. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Role } from '#schema/context.ts';
import type { AccessRequest } from '../auth/access.ts';
import type { AccessWatch } from '../auth/access-watch.ts';
import type { Graphql, Caller } from './graphql.ts';
import { isRefusal, type Identifier } from './identity.ts';
import type { OriginCheck } from './origin.ts';
import { sendGraphqlError } from './reply.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
/** A deployment carries a bundle of up to 32 MiB in base64; a batch of reports carries results. */
const LARGEST_BODY: { [R in Role | 'nobody']: number } = {
  nobody: 16 * KIB,
  viewer: 256 * KIB,
  editor: 48 * MIB,
  admin: 48 * MIB,
  worker: 32 * MIB,
  runner: 32 * MIB,
};

export interface GraphqlHttpDeps {
  graphql: Graphql;
  identifier: Identifier;
  origins: OriginCheck;
  watch: AccessWatch;
  createAccess(request: AccessRequest): Caller['access'];
  setSession(res: ServerResponse, token: string | null): void;
}

interface Problem {
  status: number;
  code: string;
  message: string;
}

export function createGraphqlHttp(deps: GraphqlHttpDeps) {
  const { graphql, identifier, origins, watch } = deps;

  return async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const identity = await identifier.identify(req.headers);
    const problem = isRefusal(identity)
      ? identity
      : req.method === 'POST'
        ? postProblem(req, identity.viewer?.role ?? 'nobody', identity.hasCookie ? origins.isOwn(req.headers) : true)
        : null;
    if (problem || isRefusal(identity)) {
      const { status, code, message } = problem ?? (identity as Problem);
      return refuse(req, res, { status, code, message });
    }
    const { viewer } = identity;
    const access = deps.createAccess({
      viewer,
      address: req.socket.remoteAddress ?? '',
      setSession: (token) => deps.setSession(res, token),
    });
    // A stream of events lives as long as the access behind it
    if (viewer && req.headers.accept?.includes('text/event-stream'))
      res.once(
        'close',
        watch.add(viewer, () => res.destroy()),
      );
    await graphql(req, res, { viewer, access });
  };
}

function postProblem(req: IncomingMessage, role: Role | 'nobody', isOwnOrigin: boolean | undefined): Problem | null {
  if (!/^application\/(graphql\+)?json\s*(;|$)/i.test(req.headers['content-type'] ?? ''))
    return { status: 415, code: 'NOT_JSON', message: 'Send the operation as application/json.' };
  // Browsers name the origin of every POST: one without it that has our cookie is not from our page
  if (isOwnOrigin !== true)
    return { status: 403, code: 'FOREIGN_ORIGIN', message: 'This request does not come from the service’s own page.' };
  const length = Number(req.headers['content-length'] ?? NaN);
  if (Number.isNaN(length))
    return { status: 411, code: 'LENGTH_REQUIRED', message: 'Send the length of the body: Content-Length.' };
  const most = LARGEST_BODY[role];
  if (length > most)
    return {
      status: 413,
      code: 'BODY_TOO_LARGE',
      message: `The body has ${length} bytes; at most ${most} are allowed.`,
    };
  return null;
}

/** Without reading the body, so the connection cannot be used again. */
function refuse(req: IncomingMessage, res: ServerResponse, { status, code, message }: Problem): void {
  res.setHeader('connection', 'close');
  if (status === 401) res.setHeader('www-authenticate', 'Bearer');
  sendGraphqlError(res, status, code, message);
  req.resume();
}
