/** The clock of a cluster, by what its API says. */
import { describe, expect, it } from 'vitest';
import { createClusterClock } from '#server/executors/kubernetes/cluster-clock.ts';

const NOW = Date.parse('2026-03-01T10:00:00Z');
const offsetAfter = (...dates: (string | undefined)[]): number => {
  const clock = createClusterClock(() => NOW);
  for (const date of dates) clock.heard(date);
  return clock.offsetMs();
};

describe('the clock of a cluster', () => {
  it.each([
    ['nothing was heard', [], 0],
    ['it is an hour ahead, in the middle of a second', ['Sun, 01 Mar 2026 11:00:00 GMT'], 3_600_500],
    ['it is an hour behind', ['Sun, 01 Mar 2026 09:00:00 GMT'], -3_599_500],
    ['whole seconds explain the difference', ['Sun, 01 Mar 2026 10:00:01 GMT'], 0],
    ['or do so in the other direction', ['Sun, 01 Mar 2026 09:59:58 GMT'], 0],
    ['it was set right', ['Sun, 01 Mar 2026 11:00:00 GMT', 'Sun, 01 Mar 2026 10:00:00 GMT'], 0],
    ['answers say nothing of it any more', ['Sun, 01 Mar 2026 11:00:00 GMT', undefined, 'later'], 3_600_500],
  ])('%s', (_, dates, offset) => {
    expect(offsetAfter(...dates)).toBe(offset);
  });
});
