import { describe, expect, it } from 'vitest';
import { createRunnerTokens } from '#server/auth/runner-token.ts';

const [former, current] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];

describe('the token of a runner', () => {
  it('is good under the key that signed it, for its time', () => {
    let now = 0;
    const tokens = createRunnerTokens(current, () => now);
    const token = tokens.sign('1.0.-1.x', 60);
    expect(tokens.verify(token)).toMatchObject({ dispatchId: '1.0.-1.x' });
    now = 61_000;
    expect(tokens.verify(token)).toBeNull();
  });

  it('stays good through a change of the secret key while the former one is known, and no longer', () => {
    const token = createRunnerTokens(former).sign('1.0.-1.x', 60);
    expect(createRunnerTokens(current, Date.now, [former]).verify(token)).toMatchObject({ dispatchId: '1.0.-1.x' });
    expect(createRunnerTokens(current).verify(token)).toBeNull();
  });

  it('is signed with the current key', () => {
    const token = createRunnerTokens(current, Date.now, [former]).sign('1.0.-1.x', 60);
    expect(createRunnerTokens(former).verify(token)).toBeNull();
  });
});
