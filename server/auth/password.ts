import { hash, verify, type Options } from '@node-rs/argon2';

/** argon2id, which is the library's default algorithm: 64 MiB, three passes. */
const COST: Options = { memoryCost: 64 * 1024, timeCost: 3, parallelism: 1 };

export const hashPassword = (password: string): Promise<string> => hash(password, COST);

/** A null hash (no such user, no password set) takes as long and is false. */
export async function isPassword(stored: string | null, password: string): Promise<boolean> {
  if (stored !== null) return verify(stored, password);
  await hashPassword(password);
  return false;
}
