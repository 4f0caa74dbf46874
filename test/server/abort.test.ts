/** One signal out of several. */
import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { aborted, anyOf } from '#server/abort.ts';
import { waitFor } from '../helpers/wait-for.ts';

const listeners = ({ signal }: AbortController): number => getEventListeners(signal, 'abort').length;

describe('a signal made of several', () => {
  it('comes with the first of them, for its reason, and once', () => {
    const [one, two] = [new AbortController(), new AbortController()];
    const { signal, release } = anyOf([one.signal, two.signal]);
    expect(signal.aborted).toBe(false);
    two.abort('two');
    one.abort('one');
    expect(signal.reason).toBe('two');
    release();
  });

  it('has come when one of them has', () => {
    expect(anyOf([new AbortController().signal, AbortSignal.abort('before')]).signal.reason).toBe('before');
  });

  it('comes when its time is over', async () => {
    const { signal, release } = anyOf([new AbortController().signal], { timeoutMs: 1 });
    await waitFor(() => signal.aborted, { what: 'the end of its time' });
    expect(signal.reason).toMatchObject({ name: 'TimeoutError' });
    release();
  });

  it('waits for weeks where it is told to', () => {
    const { signal, release } = anyOf([], { timeoutMs: 2 ** 40 });
    release();
    expect(signal.aborted).toBe(false);
  });

  it('leaves nothing behind, and never comes any more, when it is released', () => {
    const one = new AbortController();
    const { signal, release } = anyOf([one.signal]);
    expect(listeners(one)).toBe(1);
    release();
    expect(listeners(one)).toBe(0);
    one.abort();
    expect(signal.aborted).toBe(false);
  });

  it('can be waited for', async () => {
    const one = new AbortController();
    const waiting = aborted([one.signal, new AbortController().signal]);
    one.abort();
    await waiting;
    expect(listeners(one)).toBe(0);
    await aborted([one.signal]);
  });
});
