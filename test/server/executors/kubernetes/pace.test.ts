import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createPace } from '#server/executors/kubernetes/pace.ts';

describe('the pace of a cluster', () => {
  let ms = 0;
  beforeEach(() => {
    ms = 0;
    vi.useFakeTimers();
  });
  afterEach(() => vi.useRealTimers());

  const pass = async (by: number) => {
    ms += by;
    await vi.advanceTimersByTimeAsync(by);
  };
  const create = (limits: Partial<Parameters<typeof createPace>[0]> = {}) =>
    createPace({ qps: 10, burst: 3, parallelCreates: 2, ...limits }, () => ms);
  /** Which of `count` requests may go out, as time passes. */
  const ask = (pace: ReturnType<typeof create>, count: number) => {
    const went: number[] = [];
    for (let i = 0; i < count; i++) void pace.turn().then(() => went.push(i));
    return went;
  };

  it('lets a burst through, then so many a second, in order', async () => {
    const pace = create();
    const went = ask(pace, 6);
    await pass(0);
    expect(went).toEqual([0, 1, 2]);
    await pass(100);
    expect(went).toEqual([0, 1, 2, 3]);
    await pass(200);
    expect(went).toEqual([0, 1, 2, 3, 4, 5]);
    await pass(10_000);
    const later = ask(pace, 5);
    await pass(0);
    expect(later).toEqual([0, 1, 2]);
  });

  it('lets no more creations run at once than allowed', async () => {
    const pace = create({ qps: 1000, burst: 1000 });
    const started: (() => void)[] = [];
    for (let i = 0; i < 4; i++) void pace.createTurn().then((release) => started.push(release));
    await pass(0);
    expect(started).toHaveLength(2);
    started[0]!();
    started[0]!();
    await pass(0);
    expect(started).toHaveLength(3);
    started[1]!();
    await pass(0);
    expect(started).toHaveLength(4);
  });

  it('pauses creations as long as it was asked to, and nothing else', async () => {
    const pace = create();
    pace.pauseCreates(2);
    pace.pauseCreates(1);
    expect(pace.pausedFor()).toBe(2);
    let created = false;
    void pace.createTurn().then(() => (created = true));
    const went = ask(pace, 1);
    await pass(1500);
    expect(went).toEqual([0]);
    expect(created).toBe(false);
    await pass(500);
    expect(created).toBe(true);
    expect(pace.pausedFor()).toBe(0);
    pace.pauseCreates(1_000_000);
    expect(pace.pausedFor()).toBe(300);
  });

  it('gives a place back when whoever waits for it leaves', async () => {
    const pace = create({ parallelCreates: 1 });
    const release = await pace.createTurn();
    const leaving = new AbortController();
    const gone = pace.createTurn(leaving.signal).catch((error: Error) => error.message);
    const next = pace.createTurn();
    leaving.abort(new Error('stopped'));
    expect(await gone).toBe('stopped');
    release();
    (await next)();
    pace.pauseCreates(5);
    const paused = new AbortController();
    const waiting = pace.createTurn(paused.signal).catch((error: Error) => error.message);
    await pass(0);
    paused.abort(new Error('stopped too'));
    expect(await waiting).toBe('stopped too');
    await pass(5000);
    (await pace.createTurn())();
  });
});
