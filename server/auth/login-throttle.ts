/** Slows guessing down, by account and by address, whichever server is asked. */
import { createHash } from 'node:crypto';
import type { Db } from '#db/client.ts';
import { countLoginAttempts, forgetLoginAttempts } from '#db/queries/login-attempts.ts';

const WINDOW_MS = 5 * 60_000;
const PER_ACCOUNT = 10;
const PER_ADDRESS = 30;

export interface LoginThrottle {
  /** False: too many failures of late. Counts as an attempt. */
  allow(account: string, address: string): Promise<boolean>;
  /** A success clears the account. */
  succeeded(account: string): Promise<void>;
}

export function createLoginThrottle(db: Db, windowMs = WINDOW_MS): LoginThrottle {
  return {
    async allow(account, address) {
      const keys = [keyOf('account', account), keyOf('address', address)];
      const [byAccount = 0, byAddress = 0] = await countLoginAttempts(db, keys, windowMs);
      return byAccount <= PER_ACCOUNT && byAddress <= PER_ADDRESS;
    },
    succeeded: (account) => forgetLoginAttempts(db, keyOf('account', account)),
  };
}

/** As short as any other, however long the name that somebody tries. */
const keyOf = (kind: string, name: string): string =>
  `${kind} ${createHash('sha256').update(name.toLowerCase()).digest('base64url').slice(0, 22)}`;
