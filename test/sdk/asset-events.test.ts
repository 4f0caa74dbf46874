import { describe, expect, it } from 'vitest';
import { isMet } from '#sdk/asset-expression.ts';
import { createEmitter, type AssetExtras } from '#sdk/asset-events.ts';
import { failureOf } from '#sdk/run-task.ts';
import { makeDispatch } from '../helpers/runner.ts';

function emitter(outlets: string[] | undefined) {
  const dispatch = makeDispatch({ kind: 'typescript' });
  const pushed: AssetExtras[] = [];
  const emit = createEmitter({ taskId: 'make', task: { ...dispatch.task, outlets: outlets as string[] } }, (extras) =>
    pushed.push(extras),
  );
  const refused = (...args: Parameters<typeof emit>) => {
    try {
      emit(...args);
    } catch (error) {
      return failureOf(error);
    }
    return null;
  };
  return { emit, refused, pushed };
}

describe('what code says of its assets', () => {
  it('is the last for each of them', () => {
    const { emit, pushed } = emitter(['a', 'b']);
    emit('a', { n: 1 });
    emit('b');
    emit('a', { n: 2, at: new Date(0), none: undefined });
    expect(pushed.at(-1)).toEqual({ a: { n: 2, at: '1970-01-01T00:00:00.000Z' }, b: {} });
  });

  it.each([
    ['an asset that is no outlet', ['c'], /no outlet 'c'/],
    ['a list', ['a', [1]], /is not an object/],
    ['more than an event holds', ['a', { text: 'x'.repeat(70_000) }], /at most 65536/],
  ])('fails the task for good with %s', (_what, args, message) => {
    const { refused, pushed } = emitter(['a']);
    const failure = refused(...(args as [string]));
    expect(failure).toMatchObject({ outcome: 'failed', retryable: false });
    expect(failure?.message).toMatch(message);
    expect(pushed).toEqual([]);
  });

  it('is refused also in a version from before there were outlets', () => {
    expect(emitter(undefined).refused('a')?.message).toMatch(/no outlet 'a'/);
  });
});

describe('an expression', () => {
  const [a, b, c] = ['a', 'b', 'c'].map((asset) => ({ asset })) as [
    { asset: string },
    { asset: string },
    { asset: string },
  ];
  it.each([
    [a, 'a', true],
    [a, 'b', false],
    [{ all: [a, b] }, 'a', false],
    [{ all: [a, b] }, 'ab', true],
    [{ any: [a, b] }, 'b', true],
    [{ any: [a, b] }, 'c', false],
    [{ all: [a, { any: [b, c] }] }, 'ac', true],
    [{ all: [a, { any: [b, c] }] }, 'bc', false],
    [{ any: [{ all: [a, b] }, c] }, 'c', true],
  ])('%j with %s: %s', (expression, updated, expected) => {
    expect(isMet(expression, new Set(updated))).toBe(expected);
  });
});
