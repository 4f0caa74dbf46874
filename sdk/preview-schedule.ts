/** What a schedule would do, before any DAG has it. */
import { readTiming } from './read-timing.ts';
import { describeSchedule } from './schedule.ts';
import { resumeRuns, upcomingRuns, type NextRun } from './timetable.ts';

export interface ScheduleInput {
  /** As in a DAG, and so are the rest. */
  schedule: unknown;
  timezone: string;
  startDate: string | null;
  endDate: string | null;
  catchup: boolean;
  dataIntervals: boolean;
}

export type SchedulePreview =
  | { ok: true; description: string | null; runs: NextRun[] }
  | { ok: false; issues: { path: string; message: string }[] };

/** The first `count` runs of a new DAG that begins to be scheduled at `now`, or what is wrong. */
export function previewSchedule(input: ScheduleInput, count: number, now: Date): SchedulePreview {
  const issues: { path: string; message: string }[] = [];
  // How many runs may be active is no matter of the schedule
  const fields = { ...input, overlap: 'allow', maxActiveRuns: 1 };
  const read = readTiming(fields, (path, message) => issues.push({ path, message }));
  if (issues.length > 0) return { ok: false, issues };
  const timing = { ...input, ...read };
  return {
    ok: true,
    description: read.schedule && describeSchedule(read.schedule),
    runs: upcomingRuns(timing, resumeRuns(timing, null, now), count, now),
  };
}
