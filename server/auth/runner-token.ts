/** Bearer tokens for one dispatch: JWT, HS256, made and checked thousands of times a second, so without promises. */
import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';

export interface RunnerTokens {
  sign(dispatchId: string, seconds: number): string;
  /** Null: not one of ours, or over. */
  verify(token: string): { dispatchId: string; expiresAt: Date } | null;
}

const HEADER = Buffer.from(JSON.stringify({ alg: 'HS256', typ: 'JWT' })).toString('base64url');
const AUDIENCE = 'millrace-runner';

interface Claims {
  sub: string;
  aud: string;
  exp: number;
}

/** A key of its own: the same secret also protects what is stored. */
const signingKey = (secretKey: Buffer): Buffer => Buffer.from(hkdfSync('sha256', secretKey, '', 'runner tokens', 32));
const signatureOf = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();

/** Signs with the secret key; tokens of the former ones, which runners still hold, are good too. */
export function createRunnerTokens(
  secretKey: Buffer,
  now: () => number = Date.now,
  oldSecretKeys: readonly Buffer[] = [],
): RunnerTokens {
  const key = signingKey(secretKey);
  const keys = [key, ...oldSecretKeys.map(signingKey)];

  return {
    sign(dispatchId, seconds) {
      const claims: Claims = { sub: dispatchId, aud: AUDIENCE, exp: Math.floor(now() / 1000 + seconds) };
      const text = `${HEADER}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}`;
      return `${text}.${signatureOf(key, text).toString('base64url')}`;
    },
    verify(token) {
      const [header, payload, signature, ...rest] = token.split('.');
      // The one header that we write: no other algorithm is ever looked at
      if (header !== HEADER || !payload || !signature || rest.length > 0) return null;
      const given = Buffer.from(signature, 'base64url');
      const isOurs = keys.some((each) => {
        const expected = signatureOf(each, `${header}.${payload}`);
        return given.length === expected.length && timingSafeEqual(given, expected);
      });
      if (!isOurs) return null;
      const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Claims;
      if (claims.aud !== AUDIENCE || claims.exp * 1000 <= now()) return null;
      return { dispatchId: claims.sub, expiresAt: new Date(claims.exp * 1000) };
    },
  };
}
