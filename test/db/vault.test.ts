import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createVault, VaultError } from '#db/vault.ts';

const first = randomBytes(32);
const second = randomBytes(32);

describe('the vault', () => {
  it('gives back what it sealed, and never the same bytes twice', () => {
    const vault = createVault(first);
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 2_000 }), (secret) => {
        const sealed = vault.seal(secret, 'variable:a');
        expect(vault.open(sealed, 'variable:a')).toBe(Buffer.from(secret).toString());
        expect(vault.seal(secret, 'variable:a').equals(sealed)).toBe(false);
        if (secret.length > 3) expect(sealed.includes(secret)).toBe(false);
      }),
    );
  });

  it('opens nothing that was moved or changed by a single bit', () => {
    const vault = createVault(first);
    const sealed = vault.seal('geheim', 'connection:a');
    expect(() => vault.open(sealed, 'connection:b')).toThrow(VaultError);
    for (let byte = 0; byte < sealed.length; byte += 1) {
      const changed = Buffer.from(sealed);
      changed[byte]! ^= 1;
      expect(() => vault.open(changed, 'connection:a'), `byte ${byte}`).toThrow(VaultError);
    }
    for (let length = 0; length < sealed.length; length += 1)
      expect(() => vault.open(sealed.subarray(0, length), 'connection:a'), `${length} bytes`).toThrow(VaultError);
  });

  it('opens with a former key, and puts a secret under the new one without that being the same ciphertext', () => {
    const sealed = createVault(first).seal('geheim', 'variable:a');
    expect(() => createVault(second).open(sealed, 'variable:a')).toThrow('MILLRACE_OLD_SECRET_KEYS');
    const rotating = createVault(second, [first]);
    expect(rotating.open(sealed, 'variable:a')).toBe('geheim');
    const rewrapped = rotating.rewrap(sealed, 'variable:a')!;
    expect(createVault(second).open(rewrapped, 'variable:a')).toBe('geheim');
    expect(() => createVault(first).open(rewrapped, 'variable:a')).toThrow(VaultError);
    expect(rotating.rewrap(rewrapped, 'variable:a')).toBeNull();
  });

  it('says in no message what the secret or the key is', () => {
    const sealed = createVault(first).seal('geheim', 'variable:a');
    try {
      createVault(second).open(sealed, 'variable:a');
      expect.unreachable();
    } catch (error) {
      expect((error as Error).message).toContain('variable a');
      expect((error as Error).message).not.toContain('geheim');
      expect((error as Error).message).not.toContain(first.toString('hex').slice(0, 8));
    }
  });
});
