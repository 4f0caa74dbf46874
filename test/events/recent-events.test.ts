import { expect, it } from 'vitest';
import type { EventRow } from '#db/queries/events.ts';
import { createRecentEvents } from '#server/events/recent-events.ts';

const row = (runId: number, runSeq: number): EventRow => ({
  xid: String(1000 + runSeq),
  run_id: runId,
  run_seq: runSeq,
  at: new Date(runSeq),
  body: {},
});

it('gives one object for a row, however often it is read', () => {
  const recent = createRecentEvents();
  expect(recent.itemOf(row(1, 1))).toBe(recent.itemOf(row(1, 1)));
  expect(recent.itemOf(row(1, 1))).not.toBe(recent.itemOf(row(2, 1)));
  expect(recent.itemOf(row(2, 7))).toMatchObject({ runId: 2, cursor: '7', kind: 'CHANGE' });
});

it('gives a stretch only when it has all of it', () => {
  const recent = createRecentEvents();
  for (const seq of [1, 2, 4]) recent.itemOf(row(1, seq));
  expect(recent.between(1, 1, 2)?.map(({ cursor }) => cursor)).toEqual(['1', '2']);
  expect(recent.between(1, 2, 4)).toBeUndefined();
  expect(recent.between(2, 1, 1)).toBeUndefined();
  recent.clear();
  expect(recent.between(1, 1, 2)).toBeUndefined();
});

it('forgets the oldest beyond its measure', () => {
  const recent = createRecentEvents(10);
  for (let seq = 1; seq <= 25; seq++) recent.itemOf(row(1, seq));
  expect(recent.between(1, 15, 15)).toBeUndefined();
  expect(recent.between(1, 16, 25)).toHaveLength(10);
});
