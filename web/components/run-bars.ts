import type { CommonText } from '../messages/common.ts';

export interface BarRun {
  id: string;
  runId: string;
  state: 'QUEUED' | 'RUNNING' | 'SUCCESS' | 'FAILED' | 'CANCELLED';
  logicalDate: string | null;
  createdAt: string;
  startedAt: string | null;
  endedAt: string | null;
}

const SHORTEST_PX = 4;

/** Square roots of durations: one very long run must not flatten all others. */
export function barHeights(runs: readonly BarRun[], height: number, now: number): number[] {
  const durations = runs.map((run) => {
    if (run.startedAt === null) return 0;
    return Math.max(0, (run.endedAt === null ? now : Date.parse(run.endedAt)) - Date.parse(run.startedAt));
  });
  const longest = Math.max(1, ...durations);
  return durations.map((ms) => Math.round(SHORTEST_PX + (height - SHORTEST_PX) * Math.sqrt(ms / longest)));
}

/** "12 success, 1 failed" */
export function summary(runs: readonly BarRun[], texts: Pick<CommonText, 'state'> & { noRuns: string }): string {
  if (runs.length === 0) return texts.noRuns;
  const counts = new Map<BarRun['state'], number>();
  for (const run of runs) counts.set(run.state, (counts.get(run.state) ?? 0) + 1);
  return [...counts].map(([state, count]) => `${count} ${texts.state[state]}`).join(', ');
}
