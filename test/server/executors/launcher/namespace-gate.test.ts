/** How a namespace is asked for room when its quota is used up. */
import { describe, expect, it } from 'vitest';
import {
  createNamespaceGate,
  FIRST_PAUSE_MS,
  LONGEST_PAUSE_MS,
} from '../../../../server/executors/launcher/namespace-gate.ts';

describe('a namespace', () => {
  it('lets everything through while nothing is refused', () => {
    const gate = createNamespaceGate();
    expect(gate.take(500, 0)).toBe(500);
    expect(gate.take(500, 0)).toBe(500);
    expect(gate.opensIn(0)).toBeNull();
  });

  it('closes at a refusal, then lets one through at a time', () => {
    const gate = createNamespaceGate();
    gate.take(10, 0);
    for (let i = 0; i < 10; i++) gate.refused(0);
    expect(gate.take(10, FIRST_PAUSE_MS - 1)).toBe(0);
    expect(gate.opensIn(0)).toBe(FIRST_PAUSE_MS);
    expect(gate.take(10, FIRST_PAUSE_MS)).toBe(1);
    expect(gate.take(10, FIRST_PAUSE_MS)).toBe(0);
  });

  it('counts refusals of the same time as one, and waits longer after each further one', () => {
    const gate = createNamespaceGate();
    let now = 0;
    const pauses: number[] = [];
    for (let round = 0; round < 8; round++) {
      gate.take(3, now);
      gate.refused(now);
      gate.refused(now);
      pauses.push(gate.opensIn(now) ?? 0);
      now += pauses.at(-1) ?? 0;
    }
    expect(pauses).toEqual([5_000, 10_000, 20_000, 40_000, 80_000, 120_000, 120_000, LONGEST_PAUSE_MS]);
  });

  it('opens at once when something there has ended, for one, and wider when it goes on', () => {
    const gate = createNamespaceGate();
    gate.take(5, 0);
    for (let i = 0; i < 5; i++) gate.refused(0);
    gate.freed();
    for (let i = 0; i < 3; i++) {
      expect(gate.take(5, 1)).toBe(1);
      gate.succeeded();
    }
    expect(gate.take(5, 1)).toBe(2);
    gate.succeeded();
    gate.succeeded();
    expect(gate.take(20, 1)).toBe(8);
  });

  it('is not closed for ever by attempts that were not made', () => {
    const gate = createNamespaceGate();
    gate.take(1, 0);
    gate.refused(0);
    expect(gate.take(1, FIRST_PAUSE_MS)).toBe(1);
    gate.skipped();
    expect(gate.take(1, FIRST_PAUSE_MS)).toBe(1);
  });
});
