/**
 * When a DAG runs. Two meanings, chosen by the DAG: a run stands for the instant of its slot, which is its logical date and both ends of
 * its data interval; or (`dataIntervals`) for the time from its slot to the next, at whose end it starts. Pure: the clock is a parameter.
 */
import type { DagSpec } from './dag-spec.ts';
import { timeScheduleOf } from './schedule.ts';
import { slotsOf, type Slots } from './slots.ts';

export type Timing = Pick<DagSpec, 'schedule' | 'timezone' | 'startDate' | 'endDate' | 'catchup' | 'dataIntervals'>;

export interface NextRun {
  /** When to make the run; in the past when it is overdue. */
  runAt: Date;
  logicalDate: Date;
  intervalStart: Date;
  intervalEnd: Date;
}

/**
 * The run after the one of logical date `last`, while the DAG is being scheduled; null: none follows by the clock alone. Without catchup,
 * slots that passed unseen are left out but the newest.
 */
export function nextRun(timing: Timing, last: Date, now: Date): NextRun | null {
  return slottedRun(timing, (slots, start) => {
    const next = slots.after(Math.max(last.getTime(), start - 1));
    const due = next !== null && timing.dataIntervals ? slots.after(next) : next;
    // Looking back costs more than looking ahead, and most often nothing was missed
    if (timing.catchup || due === null || due > now.getTime()) return next;
    return newestOr(next, newestSlot(timing, slots, now.getTime()));
  });
}

/**
 * The first run when a DAG begins to be scheduled at `now`: it is new, un-paused, or has another schedule. `last`: logical date of its
 * newest scheduled run. With catchup all since `last`, or since startDate, are made up for. Without, what passed is over, but that the
 * newest complete data interval is run. Without startDate nothing before that is ever run.
 */
export function resumeRuns(timing: Timing, last: Date | null, now: Date): NextRun | null {
  const schedule = timeScheduleOf(timing.schedule);
  if (schedule?.kind === 'once') return last ? null : onceRun(timing, now);
  if (schedule?.kind === 'continuous') return continuousRun(timing, last, now);
  return slottedRun(timing, (slots, start) => {
    const newest = timing.dataIntervals ? newestSlot(timing, slots, now.getTime()) : null;
    const isFirst = last === null && start === -Infinity;
    const from = Math.max(last?.getTime() ?? -Infinity, start - 1);
    if (timing.catchup && !isFirst) return slots.after(from);
    if (!timing.dataIntervals) return slots.after(Math.max(from, now.getTime()));
    return isFirst ? (newest ?? slots.after(now.getTime())) : newestOr(slots.after(from), newest);
  });
}

/** `first` and what will follow it by the clock, `count` at most. */
export function upcomingRuns(timing: Timing, first: NextRun | null, count: number, now: Date): NextRun[] {
  const runs: NextRun[] = [];
  for (let next = first; next && runs.length < count; next = nextRun(timing, next.logicalDate, now)) runs.push(next);
  return runs;
}

/**
 * The runs whose logical dates lie from `from` to `to`, both included, oldest first; one more than `most` when there are more. Looks at
 * the schedule alone: neither startDate nor endDate nor catchup keeps a person from asking for a date.
 */
export function runsBetween(timing: Timing, from: Date, to: Date, most: number): NextRun[] {
  const schedule = timeScheduleOf(timing.schedule);
  if (!schedule || schedule.kind === 'once' || schedule.kind === 'continuous') return [];
  const slots = slotsOf(schedule, timing.timezone, timing.startDate === null ? null : Date.parse(timing.startDate));
  const runs: NextRun[] = [];
  let slot = slots.after(from.getTime() - 1);
  while (slot !== null && slot <= to.getTime() && runs.length <= most) {
    const next: number | null = slots.after(slot);
    const end = timing.dataIntervals ? next : slot;
    if (end !== null) runs.push(runOf(end, slot, slot, end));
    slot = next;
  }
  return runs;
}

const newestOr = (next: number | null, newest: number | null): number | null =>
  next === null || newest === null ? next : Math.max(next, newest);

/** The newest slot whose run may start by now. */
function newestSlot(timing: Timing, slots: Slots, now: number): number | null {
  const newest = slots.atOrBefore(now);
  return timing.dataIntervals && newest !== null ? slots.atOrBefore(newest - 1) : newest;
}

/** What a run that somebody asks for at `at` covers: the newest interval that is complete then, or that instant. */
export function intervalOfManualRun(timing: Timing, at: Date): { start: Date; end: Date } {
  const slots = timing.dataIntervals ? timetableSlots(timing) : null;
  const end = slots?.atOrBefore(at.getTime()) ?? null;
  const start = end === null ? null : (slots?.atOrBefore(end - 1) ?? null);
  return start === null || end === null ? { start: at, end: at } : { start: new Date(start), end: new Date(end) };
}

type Choice = (slots: Slots, start: number) => number | null;

function slottedRun(timing: Timing, choose: Choice): NextRun | null {
  const slots = timetableSlots(timing);
  if (!slots) return null;
  const slot = choose(slots, startOf(timing) ?? -Infinity);
  if (slot === null || isAfterEnd(timing, slot)) return null;
  const end = timing.dataIntervals ? slots.after(slot) : slot;
  return end === null ? null : runOf(end, slot, slot, end);
}

/** Null: nothing but the end of a run, an asset or a person asks for runs. */
function timetableSlots(timing: Timing): Slots | null {
  const schedule = timeScheduleOf(timing.schedule);
  if (!schedule || schedule.kind === 'once' || schedule.kind === 'continuous') return null;
  return slotsOf(schedule, timing.timezone, startOf(timing));
}

const startOf = (timing: Timing): number | null => (timing.startDate === null ? null : Date.parse(timing.startDate));

const runOf = (runAt: number, logicalDate: number, intervalStart: number, intervalEnd: number): NextRun => ({
  runAt: new Date(runAt),
  logicalDate: new Date(logicalDate),
  intervalStart: new Date(intervalStart),
  intervalEnd: new Date(intervalEnd),
});

const isAfterEnd = (timing: Timing, logicalDate: number): boolean =>
  timing.endDate !== null && logicalDate > Date.parse(timing.endDate);

function onceRun(timing: Timing, now: Date): NextRun | null {
  const at = startOf(timing) ?? now.getTime();
  return isAfterEnd(timing, at) ? null : runOf(at, at, at, at);
}

/** Covers the time since the run before, or since startDate. */
function continuousRun(timing: Timing, last: Date | null, now: Date): NextRun | null {
  const start = startOf(timing);
  const at = Math.max(now.getTime(), start ?? -Infinity, (last?.getTime() ?? -Infinity) + 1);
  return isAfterEnd(timing, at) ? null : runOf(at, at, last?.getTime() ?? start ?? at, at);
}
