/** Slows guessing down, by account and by address, within this process. */
const WINDOW_MS = 5 * 60_000;
const PER_ACCOUNT = 10;
const PER_ADDRESS = 30;
const MOST_KEYS = 10_000;

export interface LoginThrottle {
  /** False: too many failures of late. Counts as an attempt. */
  allow(account: string, address: string): boolean;
  /** A success clears the account. */
  succeeded(account: string): void;
}

export function createLoginThrottle(now: () => number = Date.now): LoginThrottle {
  const attempts = new Map<string, { count: number; until: number }>();

  const count = (key: string): number => {
    const known = attempts.get(key);
    const entry = known && known.until > now() ? known : { count: 0, until: now() + WINDOW_MS };
    entry.count++;
    attempts.delete(key);
    attempts.set(key, entry);
    for (const oldest of attempts.keys()) if (attempts.size <= MOST_KEYS || !attempts.delete(oldest)) break;
    return entry.count;
  };

  return {
    allow(account, address) {
      const [byAccount, byAddress] = [count(`account ${account.toLowerCase()}`), count(`address ${address}`)];
      return byAccount <= PER_ACCOUNT && byAddress <= PER_ADDRESS;
    },
    succeeded: (account) => void attempts.delete(`account ${account.toLowerCase()}`),
  };
}
