/** Slows guessing down, by account and by address, within this process. */
import { createAttemptCounter } from './attempt-counter.ts';

const WINDOW_MS = 5 * 60_000;
const PER_ACCOUNT = 10;
const PER_ADDRESS = 30;

export interface LoginThrottle {
  /** False: too many failures of late. Counts as an attempt. */
  allow(account: string, address: string): boolean;
  /** A success clears the account. */
  succeeded(account: string): void;
}

export function createLoginThrottle(now: () => number = Date.now): LoginThrottle {
  const attempts = createAttemptCounter(WINDOW_MS, now);
  const keyOf = (account: string) => `account ${account.toLowerCase()}`;
  return {
    allow(account, address) {
      const [byAccount, byAddress] = [attempts.count(keyOf(account)), attempts.count(`address ${address}`)];
      return byAccount <= PER_ACCOUNT && byAddress <= PER_ADDRESS;
    },
    succeeded: (account) => attempts.forget(keyOf(account)),
  };
}
