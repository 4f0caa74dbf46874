/** Who sends a request: by exactly one credential. */
import type { IncomingHttpHeaders } from 'node:http';
import type { Viewer } from '#schema/context.ts';
import type { Authenticator } from '../auth/authenticate.ts';
import { readCookie, type SessionCookie } from './cookie.ts';

export interface Refusal {
  status: 400 | 401;
  code: string;
  message: string;
}

export interface Identity {
  viewer: Viewer | null;
  /** The browser's session, valid or not. */
  hasCookie: boolean;
}

export const INVALID_TOKEN: Refusal = {
  status: 401,
  code: 'UNAUTHENTICATED',
  message: 'The token is not valid: unknown, expired or revoked.',
};

/** Two credentials would leave it to chance whose request this is. */
const TWO_CREDENTIALS: Refusal = {
  status: 400,
  code: 'TWO_CREDENTIALS',
  message: 'The request has a session cookie and an Authorization header. Send one of them.',
};

export interface Identifier {
  identify(headers: IncomingHttpHeaders): Promise<Identity | Refusal>;
  /** As `Authorization: Bearer …`; null: not valid. */
  ofBearer(header: string): Promise<Viewer | null>;
}

export const isRefusal = (result: Identity | Refusal): result is Refusal => 'status' in result;

export function createIdentifier(authenticator: Authenticator, cookie: SessionCookie): Identifier {
  const ofBearer = async (header: string): Promise<Viewer | null> => {
    const token = /^Bearer ([\w.-]{1,4096})$/i.exec(header)?.[1];
    return token ? authenticator.authenticate({ kind: 'bearer', token }) : null;
  };
  return {
    ofBearer,
    async identify(headers) {
      const session = readCookie(headers.cookie, cookie.name);
      const { authorization } = headers;
      if (session !== undefined && authorization !== undefined) return TWO_CREDENTIALS;
      if (authorization !== undefined) {
        const viewer = await ofBearer(authorization);
        return viewer ? { viewer, hasCookie: false } : INVALID_TOKEN;
      }
      // A session that has ended is nobody: the page then shows the sign-in form
      const viewer =
        session === undefined ? null : await authenticator.authenticate({ kind: 'session', cookie: session });
      return { viewer, hasCookie: session !== undefined };
    },
  };
}
