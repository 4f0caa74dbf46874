import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { startPings } from '#server/runner/supervisor-pings.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function pings() {
  const seen = { pings: 0, silent: 0 };
  const watch = startPings({ ping: () => (seen.pings += 1), onSilent: () => (seen.silent += 1) });
  return { watch, seen };
}

it('half a minute without a word is silence, and is told once', () => {
  const { seen } = pings();
  vi.advanceTimersByTime(34_000);
  expect(seen).toEqual({ pings: 6, silent: 0 });
  vi.advanceTimersByTime(60_000);
  expect(seen).toEqual({ pings: 6, silent: 1 });
});

it('any word begins it anew', () => {
  const { watch, seen } = pings();
  for (let n = 0; n < 10; n += 1) {
    vi.advanceTimersByTime(29_000);
    watch.heard();
  }
  expect(seen.silent).toBe(0);
  watch.stop();
  vi.advanceTimersByTime(120_000);
  expect(seen.silent).toBe(0);
});

it('while nobody listens there is no silence', () => {
  const { watch, seen } = pings();
  watch.setPaused(true);
  vi.advanceTimersByTime(600_000);
  watch.setPaused(false);
  vi.advanceTimersByTime(29_000);
  expect(seen.silent).toBe(0);
});
