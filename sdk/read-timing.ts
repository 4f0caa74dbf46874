/** The fields of a DAG that depend on each other: time zone, schedule, dates, and what the schedule allows. */
import type { ScheduleSpec } from './dag-spec.ts';
import { readSchedule } from './read-schedule.ts';
import { timeScheduleOf } from './schedule.ts';
import type { Plain, Report } from './spec-fields.ts';
import { readInstant, timezoneProblem } from './zoned-time.ts';

/** The canonical schedule and dates; what is wrong goes to `report`. */
export function readTiming(
  fields: Plain,
  report: Report,
): { schedule: ScheduleSpec | null; startDate: string | null; endDate: string | null } {
  const problem = typeof fields['timezone'] === 'string' ? timezoneProblem(fields['timezone']) : null;
  if (problem) report('timezone', problem);
  const timezone = problem || typeof fields['timezone'] !== 'string' ? 'UTC' : fields['timezone'];
  const schedule = readSchedule(fields['schedule'], timezone);
  if (typeof schedule === 'string') report('schedule', schedule);
  const date = (name: 'startDate' | 'endDate') => {
    const written = fields[name];
    const instant = typeof written === 'string' ? readInstant(written, timezone) : null;
    if (typeof written === 'string' && instant === null)
      report(
        name,
        `'${written}' is not a date. Write '2026-01-31' or '2026-01-31T06:00:00' (in the DAG's time zone), or add Z or an offset.`,
      );
    return instant;
  };
  const [startDate, endDate] = [date('startDate'), date('endDate')];
  if (startDate !== null && endDate !== null && endDate < startDate)
    report('endDate', `The end lies before the start (${startDate}).`);
  if (typeof schedule === 'string') return { schedule: null, startDate, endDate };
  checkCombination(fields, schedule, report);
  return { schedule, startDate, endDate };
}

function checkCombination(fields: Plain, schedule: ScheduleSpec | null, report: Report): void {
  const time = timeScheduleOf(schedule);
  const oneRun = fields['maxActiveRuns'] === 1;
  if (time?.kind === 'continuous' && !oneRun)
    report('maxActiveRuns', `'@continuous' starts a run when the last has ended: it needs maxActiveRuns 1.`);
  if (fields['dataIntervals'] === true && time && time.kind !== 'cron' && time.kind !== 'interval')
    report(
      'dataIntervals',
      `A schedule of kind '${time.kind}' has no data intervals. Use cron or an interval, or leave it out.`,
    );
  const { overlap } = fields;
  if (overlap !== 'allow' && fields['catchup'] === true)
    report('overlap', `'${String(overlap)}' drops runs that catchup would make. Leave one of the two out.`);
  if (overlap === 'buffer_one' && !oneRun)
    report('maxActiveRuns', `overlap 'buffer_one' lets one run wait for the one before: it needs maxActiveRuns 1.`);
}
