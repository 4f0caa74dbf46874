/** Until when a launch may stay as it is. */
import { describe, expect, it } from 'vitest';
import type { Seen } from '../../../../server/executors/launcher/target.ts';
import { timeLimit } from '../../../../server/executors/launcher/time-limits.ts';

const at = (seconds: number) => new Date(1_700_000_000_000 + seconds * 1000);
const seen = (more: Partial<Seen>): Seen => ({
  phase: 'pending',
  uid: 'u',
  node: null,
  reason: null,
  message: null,
  fatal: null,
  createdAt: at(0),
  scheduledAt: null,
  startedAt: null,
  finishedAt: null,
  end: null,
  ...more,
});
const limits = { schedule: 60, start: 30, run: 10, grace: 5 };

describe('the time of a launch', () => {
  it.each([
    ['without a node, from its creation', seen({}), at(60), 'start_timeout'],
    ['on a node, from there', seen({ phase: 'scheduled', scheduledAt: at(5) }), at(35), 'start_timeout'],
    [
      'on a node that nobody has written down, from its creation',
      seen({ phase: 'scheduled' }),
      at(30),
      'start_timeout',
    ],
    ['running, from its start', seen({ phase: 'started', startedAt: at(7) }), at(17), 'timeout'],
  ])('%s', (_, observed, until, cause) => {
    expect(timeLimit(limits, observed)).toMatchObject({ at: until, cause });
  });

  it('has no end where no limit is set, nothing has been seen, or all is over', () => {
    const none = { schedule: null, start: 30, run: null, grace: 5 };
    expect(timeLimit(none, seen({}))).toBeNull();
    expect(timeLimit(none, seen({ phase: 'started', startedAt: at(0) }))).toBeNull();
    expect(timeLimit(limits, seen({ phase: 'ended' }))).toBeNull();
    expect(timeLimit(limits, null)).toBeNull();
  });

  it('says what the cluster said', () => {
    const message = '0/3 nodes are available: 3 Insufficient memory.';
    expect(timeLimit(limits, seen({ message }))?.message).toBe(`No node has taken it within 60 s. ${message}`);
  });
});
