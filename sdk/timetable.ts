/**
 * When a DAG runs. A slot is an instant at which the schedule fires; the run of a slot has it as logical date and as both ends of its
 * data interval (Airflow 3's CronTriggerTimetable). Pure: the clock is a parameter.
 */
import type { Cron } from 'croner';
import type { DagSpec } from './dag-spec.ts';
import { cronOf } from './schedule.ts';

export type Timing = Pick<DagSpec, 'schedule' | 'timezone' | 'startDate' | 'endDate' | 'catchup'>;

export interface NextRun {
  /** When to make the run; in the past when it is overdue. */
  runAt: Date;
  logicalDate: Date;
  intervalStart: Date;
  intervalEnd: Date;
}

interface Slots {
  /** The first slot after `instant`. */
  after(instant: number): number | null;
  /** The newest slot at or before `instant`. */
  atOrBefore(instant: number): number | null;
}

/** Without a start, intervals count from 1970, so that every server finds the same slots. */
function intervalSlots(seconds: number, start: number): Slots {
  const step = seconds * 1000;
  return {
    after: (instant) => (instant < start ? start : start + (Math.floor((instant - start) / step) + 1) * step),
    atOrBefore: (instant) => (instant < start ? null : start + Math.floor((instant - start) / step) * step),
  };
}

/** No slot lies between `from` and `next`. Thousands of DAGs share `@daily`, and asking croner costs 80 µs. */
const gaps = new WeakMap<Cron, { from: number; next: number }>();

function cronSlots(expression: string, timezone: string): Slots {
  const cron = cronOf(expression, timezone);
  const wholeSecond = (instant: number) => Math.floor(instant / 1000) * 1000;
  return {
    after(instant) {
      const from = wholeSecond(instant);
      const gap = gaps.get(cron);
      if (gap && from >= gap.from && from < gap.next) return gap.next;
      const next = cron.nextRun(new Date(from))?.getTime() ?? null;
      if (next !== null) gaps.set(cron, { from, next });
      return next;
    },
    // croner looks strictly before, so ask one second later.
    atOrBefore: (instant) => cron.previousRuns(1, new Date(wholeSecond(instant) + 1000))[0]?.getTime() ?? null,
  };
}

/**
 * The next run after the slot `last` (null: none was made yet), or null when there is none.
 * Without catchup, slots that passed unseen are left out but the newest. Without startDate, the first slot after `now` is the first.
 */
export function nextRun(timing: Timing, last: Date | null, now: Date): NextRun | null {
  const { schedule } = timing;
  if (!schedule) return null;
  const start = timing.startDate === null ? null : Date.parse(timing.startDate);
  const slots =
    schedule.kind === 'cron'
      ? cronSlots(schedule.expression, timing.timezone)
      : intervalSlots(schedule.seconds, start ?? 0);
  const slot = nextSlot(slots, timing.catchup, start, last?.getTime() ?? null, now.getTime());
  if (slot === null || (timing.endDate !== null && slot > Date.parse(timing.endDate))) return null;
  const at = new Date(slot);
  return { runAt: at, logicalDate: at, intervalStart: at, intervalEnd: at };
}

function nextSlot(
  slots: Slots,
  catchup: boolean,
  start: number | null,
  last: number | null,
  now: number,
): number | null {
  // A start moved into the future holds back what would come next.
  const floor = Math.max(last ?? (start === null ? now : start - 1), start === null ? -Infinity : start - 1);
  const next = slots.after(floor);
  if (next === null || catchup || next > now) return next;
  return Math.max(next, slots.atOrBefore(now) ?? next);
}

/** The next `count` runs as a person reads them: from `now` on, as if all before had been made. */
export function nextRuns(timing: Timing, count: number, now: Date): NextRun[] {
  const runs: NextRun[] = [];
  let last = now;
  while (runs.length < count) {
    const next = nextRun({ ...timing, catchup: true }, last, now);
    if (!next) break;
    runs.push(next);
    last = next.logicalDate;
  }
  return runs;
}
