/**
 * Secrets at rest, by envelope encryption: each has a data key of its own, which a master key wraps (AES-256-GCM, twice). A new
 * master key therefore needs no secret to be read: only the small wrapped keys are made anew.
 */
import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';

export interface Vault {
  /** `place` says where the secret lies (`variable:token`): put elsewhere it does not open. */
  seal(secret: string, place: string): Buffer;
  /** Throws a VaultError that names the place, never a part of the secret. */
  open(sealed: Buffer, place: string): string;
  /** The same secret under the current master key; null when it is under that already. */
  rewrap(sealed: Buffer, place: string): Buffer | null;
}

export class VaultError extends Error {
  constructor(place: string, reason: string, options?: ErrorOptions) {
    super(`The secret of ${place.replace(':', ' ')} cannot be read: ${reason}`, options);
    this.name = 'VaultError';
  }
}

const VERSION = 1;
const ID_BYTES = 8;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;
const WRAPPED_BYTES = NONCE_BYTES + KEY_BYTES + TAG_BYTES;
const HEAD_BYTES = 1 + ID_BYTES + WRAPPED_BYTES;

interface MasterKey {
  id: Buffer;
  key: Buffer;
}

/** `current` seals; `older` ones only open. Each is a secret key of the service, 32 bytes. */
export function createVault(current: Buffer, older: readonly Buffer[] = []): Vault {
  const [master, ...rest] = [current, ...older].map(masterKey) as [MasterKey, ...MasterKey[]];
  const known = new Map([master, ...rest].map((one) => [one.id.toString('hex'), one]));

  const dataKeyOf = (sealed: Buffer, place: string): Buffer => {
    if (sealed.length < HEAD_BYTES || sealed[0] !== VERSION)
      throw new VaultError(place, 'it is not in a form that this version of Millrace knows.');
    const id = sealed.subarray(1, 1 + ID_BYTES).toString('hex');
    const wrapping = known.get(id);
    if (!wrapping)
      throw new VaultError(
        place,
        `it is under a secret key (${id}) that this process does not have. Give it in MILLRACE_OLD_SECRET_KEYS, or set the secret anew.`,
      );
    return decrypt(wrapping.key, sealed.subarray(1 + ID_BYTES, HEAD_BYTES), place);
  };
  const head = (dataKey: Buffer, place: string): Buffer =>
    Buffer.concat([Buffer.from([VERSION]), master.id, encrypt(master.key, dataKey, place)]);

  return {
    seal(secret, place) {
      const dataKey = randomBytes(KEY_BYTES);
      return Buffer.concat([head(dataKey, place), encrypt(dataKey, Buffer.from(secret), place)]);
    },
    open: (sealed, place) => decrypt(dataKeyOf(sealed, place), sealed.subarray(HEAD_BYTES), place).toString(),
    rewrap(sealed, place) {
      const dataKey = dataKeyOf(sealed, place);
      if (sealed.subarray(1, 1 + ID_BYTES).equals(master.id)) return null;
      return Buffer.concat([head(dataKey, place), sealed.subarray(HEAD_BYTES)]);
    },
  };
}

/** A key of its own: the same secret key signs the tokens of runners. */
function masterKey(secretKey: Buffer): MasterKey {
  const key = Buffer.from(hkdfSync('sha256', secretKey, '', 'stored secrets', KEY_BYTES));
  return { key, id: createHash('sha256').update(key).digest().subarray(0, ID_BYTES) };
}

function encrypt(key: Buffer, text: Buffer, place: string): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(place));
  return Buffer.concat([nonce, cipher.update(text), cipher.final(), cipher.getAuthTag()]);
}

function decrypt(key: Buffer, sealed: Buffer, place: string): Buffer {
  const nonce = sealed.subarray(0, NONCE_BYTES);
  const end = sealed.length - TAG_BYTES;
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
      .setAAD(Buffer.from(place))
      .setAuthTag(sealed.subarray(end));
    return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, end)), decipher.final()]);
  } catch (cause) {
    throw new VaultError(place, 'it was changed, or it belongs elsewhere. Set it anew.', { cause });
  }
}
