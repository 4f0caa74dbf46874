import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** 43 letters of 62 are 256 bits. */
const LENGTH = 43;

/** Letters and digits only, so that it needs no quoting anywhere. */
export function newSecret(): string {
  let text = '';
  while (text.length < LENGTH)
    // Bytes from 248 on would favour the first letters
    for (const byte of randomBytes(64)) if (byte < 248 && text.length < LENGTH) text += ALPHABET[byte % 62];
  return text;
}

/** What is stored of a random secret: it has too many bits to be guessed, so no slow hash is needed. */
export const hashSecret = (secret: string): string => createHash('sha256').update(secret).digest('hex');

export const isSameHash = (a: string, b: string): boolean =>
  a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
