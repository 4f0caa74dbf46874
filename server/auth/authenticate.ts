/** From a credential to the one who holds it. */
import type { Db } from '#db/client.ts';
import type { Listener } from '#db/listen.ts';
import { findApiToken, touchApiToken } from '#db/queries/api-tokens.ts';
import { touchSession } from '#db/queries/sessions.ts';
import type { Viewer } from '#schema/context.ts';
import type { RunnerTokens } from './runner-token.ts';
import { hashSecret, isSameHash } from './secret.ts';
import { findSessionViewer } from './sessions.ts';

export type Credential = { kind: 'session'; cookie: string } | { kind: 'bearer'; token: string };

export interface Authenticator {
  /** Null: not (or no longer) valid. */
  authenticate(credential: Credential): Promise<Viewer | null>;
  /** The same holder as the database knows it now; null: access is over. */
  recheck(viewer: Viewer): Promise<Viewer | null>;
  stop(): void;
}

/**
 * Tokens only: a worker sends its own with every batch. A change of access empties the cache as soon as the notification arrives;
 * sessions, where people expect it at once, are read each time.
 */
const CACHE_MS = 10_000;
const MOST_CACHED = 5_000;
const API_TOKEN = /^mr_(\d{1,15})_[0-9A-Za-z]{43}$/;

export interface AuthenticatorDeps {
  db: Db;
  listener: Pick<Listener, 'on' | 'onResync'>;
  runnerTokens: RunnerTokens;
}

export function createAuthenticator({ db, listener, runnerTokens }: AuthenticatorDeps): Authenticator {
  const cache = new Map<string, { viewer: Viewer; until: number }>();
  let changes = 0;
  const forget = () => {
    changes++;
    cache.clear();
  };
  const offs = [listener.on('millrace_access', forget), listener.onResync(forget)];

  async function cached(key: string, load: () => Promise<Viewer | null>): Promise<Viewer | null> {
    const known = cache.get(key);
    if (known && known.until > Date.now() && known.viewer.expiresAt.getTime() > Date.now()) return known.viewer;
    const before = changes;
    const viewer = await load();
    cache.delete(key);
    // What was read before a change may already be wrong
    if (viewer && before === changes) cache.set(key, { viewer, until: Date.now() + CACHE_MS });
    for (const oldest of cache.keys()) if (cache.size <= MOST_CACHED || !cache.delete(oldest)) break;
    return viewer;
  }

  async function loadToken(id: number, tokenHash: string): Promise<Viewer | null> {
    const row = await findApiToken(db, id);
    if (!row || !isSameHash(row.token_hash, tokenHash)) return null;
    const credential = { kind: 'token', id, tokenHash } as const;
    return { name: `token ${row.name}`, role: row.role, dispatchId: null, credential, expiresAt: row.expires_at };
  }

  async function ofToken(token: string): Promise<Viewer | null> {
    const id = Number(API_TOKEN.exec(token)?.[1] ?? NaN);
    if (Number.isNaN(id)) return ofRunner(token);
    const tokenHash = hashSecret(token);
    return cached(tokenHash, async () => {
      const viewer = await loadToken(id, tokenHash);
      if (viewer) await touchApiToken(db, id);
      return viewer;
    });
  }

  function ofRunner(token: string): Viewer | null {
    const claims = runnerTokens.verify(token);
    if (!claims) return null;
    const { dispatchId, expiresAt } = claims;
    return { name: `runner ${dispatchId}`, role: 'runner', dispatchId, credential: { kind: 'runner' }, expiresAt };
  }

  async function ofSession(cookie: string): Promise<Viewer | null> {
    const tokenHash = hashSecret(cookie);
    const viewer = await findSessionViewer(db, tokenHash);
    if (viewer) await touchSession(db, tokenHash);
    return viewer;
  }

  return {
    authenticate: (credential) =>
      credential.kind === 'session' ? ofSession(credential.cookie) : ofToken(credential.token),
    async recheck(viewer) {
      const { credential } = viewer;
      if (credential.kind === 'session') return findSessionViewer(db, credential.tokenHash);
      if (credential.kind === 'token') return loadToken(credential.id, credential.tokenHash);
      return viewer.expiresAt.getTime() > Date.now() ? viewer : null;
    },
    stop() {
      for (const off of offs) off();
    },
  };
}
