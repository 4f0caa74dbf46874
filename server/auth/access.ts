/** Signing in and out, and making tokens, for one request. */
import type { Db } from '#db/client.ts';
import { recordAudit } from '#db/queries/audit.ts';
import { findUserByName } from '#db/queries/users.ts';
import type { Access, Viewer } from '#schema/context.ts';
import { badInput } from '#schema/errors.ts';
import type { LoginThrottle } from './login-throttle.ts';
import { isPassword } from './password.ts';
import type { PodExchange } from './pod-exchange.ts';
import type { RunnerTokens } from './runner-token.ts';
import { hashSecret } from './secret.ts';
import { endSession, findSessionViewer, startSession } from './sessions.ts';
import { createApiToken } from './users.ts';

export interface AccessDeps {
  db: Db;
  throttle: LoginThrottle;
  runnerTokens: RunnerTokens;
  podExchange: PodExchange;
}

export interface AccessRequest {
  viewer: Viewer | null;
  address: string;
  /** Null: there is no response to set a cookie on. */
  setSession: ((token: string | null) => void) | null;
}

export function createAccess({ db, throttle, runnerTokens, podExchange }: AccessDeps, request: AccessRequest): Access {
  const { viewer, address, setSession } = request;
  const requireCookies = (): NonNullable<typeof setSession> => {
    if (!setSession) throw badInput('Sign in and out over HTTP: a WebSocket sets no cookies.');
    return setSession;
  };
  return {
    async login(name, password) {
      const set = requireCookies();
      if (!(await throttle.allow(name, address))) return 'throttled';
      const user = await findUserByName(db, name);
      const isRight = await isPassword(user?.password_hash ?? null, password);
      if (!user || !isRight || user.disabled) {
        await recordAudit(db, { actor: name, action: 'sign_in_failed', object: name, detail: { address } });
        return null;
      }
      await throttle.succeeded(name);
      if (viewer?.credential.kind === 'session') await endSession(db, viewer.credential.tokenHash);
      const token = await startSession(db, user, 'password');
      set(token);
      return findSessionViewer(db, hashSecret(token));
    },
    async logout() {
      const set = requireCookies();
      if (viewer?.credential.kind === 'session') await endSession(db, viewer.credential.tokenHash);
      set(null);
    },
    createApiToken: (token) => createApiToken(db, { ...token, actor: viewer?.name ?? '' }),
    exchangePodToken: (shown) => podExchange(shown, address),
    runnerToken: (dispatchId, seconds) => runnerTokens.sign(dispatchId, seconds),
  };
}
