/** The instants at which a schedule fires: its slots. Pure. Instants are milliseconds since 1970. */
import type { Cron } from 'croner';
import type { TimeSchedule } from './dag-spec.ts';
import { cronOf } from './schedule.ts';

export interface Slots {
  /** The first slot after `instant`. */
  after(instant: number): number | null;
  /** The newest slot at or before `instant`. */
  atOrBefore(instant: number): number | null;
}

/** What the clock alone decides; `once` and `continuous` have no slots. */
export type SlottedSchedule = Exclude<TimeSchedule, { kind: 'once' | 'continuous' }>;

export function slotsOf(schedule: SlottedSchedule, timezone: string, start: number | null): Slots {
  switch (schedule.kind) {
    case 'cron':
      return unionOf(schedule.expressions.map((expression) => cronSlots(expression, timezone)));
    case 'interval':
      return intervalSlots(schedule.seconds, start ?? 0);
    case 'dates':
      return dateSlots(schedule.dates.map((date) => Date.parse(date)));
  }
}

function unionOf(parts: Slots[]): Slots {
  const [only] = parts;
  if (parts.length === 1 && only) return only;
  const best = (found: (number | null)[], better: (...values: number[]) => number) => {
    const known = found.filter((slot) => slot !== null);
    return known.length === 0 ? null : better(...known);
  };
  return {
    after: (instant) =>
      best(
        parts.map((part) => part.after(instant)),
        Math.min,
      ),
    atOrBefore: (instant) =>
      best(
        parts.map((part) => part.atOrBefore(instant)),
        Math.max,
      ),
  };
}

/** Without a start, intervals count from 1970, so that every server finds the same slots. */
function intervalSlots(seconds: number, start: number): Slots {
  const step = seconds * 1000;
  return {
    after: (instant) => (instant < start ? start : start + (Math.floor((instant - start) / step) + 1) * step),
    atOrBefore: (instant) => (instant < start ? null : start + Math.floor((instant - start) / step) * step),
  };
}

/** Ascending. */
function dateSlots(dates: number[]): Slots {
  return {
    after: (instant) => dates.find((date) => date > instant) ?? null,
    atOrBefore: (instant) => dates.findLast((date) => date <= instant) ?? null,
  };
}

interface Gap {
  from: number;
  next: number;
}
/** No slot lies between `from` and `next`. Thousands of DAGs share `@daily`, and asking croner costs 80 µs. */
const gaps = new WeakMap<Cron, Gap[]>();
/** A data interval asks for the slot after the slot. */
const GAPS_KEPT = 3;

function cronSlots(expression: string, timezone: string): Slots {
  const cron = cronOf(expression, timezone);
  const wholeSecond = (instant: number) => Math.floor(instant / 1000) * 1000;
  return {
    after(instant) {
      const from = wholeSecond(instant);
      const known = gaps.get(cron) ?? [];
      const gap = known.find((one) => from >= one.from && from < one.next);
      if (gap) return gap.next;
      const next = cron.nextRun(new Date(from))?.getTime() ?? null;
      if (next !== null) gaps.set(cron, [{ from, next }, ...known.slice(0, GAPS_KEPT - 1)]);
      return next;
    },
    // croner looks strictly before, so ask one second later.
    atOrBefore: (instant) => cron.previousRuns(1, new Date(wholeSecond(instant) + 1000))[0]?.getTime() ?? null,
  };
}
