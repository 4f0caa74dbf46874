import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { TimeSchedule } from '#sdk/dag-spec.ts';
import { intervalOfManualRun, nextRun, resumeRuns, upcomingRuns, type Timing } from '#sdk/timetable.ts';

const cron = (expression: string, timezone = 'UTC', more: Partial<Timing> = {}): Timing => ({
  schedule: { kind: 'cron', expressions: [expression] },
  timezone,
  startDate: null,
  endDate: null,
  catchup: true,
  dataIntervals: false,
  ...more,
});
const every = (seconds: number, more: Partial<Timing> = {}): Timing => ({
  ...cron(''),
  schedule: { kind: 'interval', seconds },
  ...more,
});
const at = (iso: string) => new Date(iso);
/** From `now` on, as if all before had been made. */
const nextRuns = (timing: Timing, count: number, now: Date) =>
  upcomingRuns(timing, resumeRuns({ ...timing, catchup: false }, null, now), count, now);
const slots = (timing: Timing, from: string, count: number) =>
  nextRuns(timing, count, at(from)).map((run) => run.logicalDate.toISOString().replace('.000Z', 'Z'));

test('a cron run has its fire time as logical date and as both ends of its interval', () => {
  const run = nextRun(cron('@daily'), at('2026-01-01T00:00:00Z'), at('2026-01-01T12:00:00Z'));
  const midnight = at('2026-01-02T00:00:00Z');
  expect(run).toEqual({ runAt: midnight, logicalDate: midnight, intervalStart: midnight, intervalEnd: midnight });
});

describe.each([
  ['@hourly', '2026-01-01T00:30:00Z', ['2026-01-01T01:00:00Z', '2026-01-01T02:00:00Z']],
  ['@daily', '2026-01-01T00:00:00Z', ['2026-01-02T00:00:00Z', '2026-01-03T00:00:00Z']],
  ['@weekly', '2026-01-01T00:00:00Z', ['2026-01-04T00:00:00Z', '2026-01-11T00:00:00Z']],
  ['@monthly', '2026-01-01T00:00:00Z', ['2026-02-01T00:00:00Z', '2026-03-01T00:00:00Z']],
  ['@quarterly', '2026-01-01T00:00:00Z', ['2026-04-01T00:00:00Z', '2026-07-01T00:00:00Z']],
  ['@yearly', '2026-01-01T00:00:00Z', ['2027-01-01T00:00:00Z', '2028-01-01T00:00:00Z']],
  ['30 6 * * MON-FRI', '2026-01-02T07:00:00Z', ['2026-01-05T06:30:00Z', '2026-01-06T06:30:00Z']],
  ['*/20 * * * * *', '2026-01-01T00:00:05Z', ['2026-01-01T00:00:20Z', '2026-01-01T00:00:40Z']],
  ['0 0 L * *', '2026-01-31T00:00:00Z', ['2026-02-28T00:00:00Z', '2026-03-31T00:00:00Z']],
  ['0 0 * * 5#2', '2026-01-01T00:00:00Z', ['2026-01-09T00:00:00Z', '2026-02-13T00:00:00Z']],
])('%s', (expression, from, expected) => {
  test(`fires after ${from} at ${expected.join(' and ')}`, () =>
    expect(slots(cron(expression), from, 2)).toEqual(expected));
});

describe('daylight saving', () => {
  test.each([
    // Clocks go forward: 02:30 does not exist on the 29th and runs at the first time after the gap.
    ['Europe/Berlin', '30 2 * * *', '2026-03-28T00:00:00Z', ['03-28T01:30', '03-29T01:00', '03-30T00:30']],
    ['America/New_York', '30 2 * * *', '2026-03-07T00:00:00Z', ['03-07T07:30', '03-08T07:00', '03-09T06:30']],
    // Half an hour only: 02:00 becomes 02:30.
    ['Australia/Lord_Howe', '15 2 * * *', '2026-10-02T12:00:00Z', ['10-02T15:45', '10-03T15:30', '10-04T15:15']],
    // Clocks go back: 02:30 exists twice on the 25th and runs once, the first time.
    ['Europe/Berlin', '30 2 * * *', '2026-10-24T00:00:00Z', ['10-24T00:30', '10-25T00:30', '10-26T01:30']],
    ['America/New_York', '30 1 * * *', '2026-10-31T00:00:00Z', ['10-31T05:30', '11-01T05:30', '11-02T06:30']],
    ['Australia/Lord_Howe', '45 1 * * *', '2026-04-03T12:00:00Z', ['04-03T14:45', '04-04T14:45', '04-05T15:15']],
    // Lists follow the wall clock too.
    ['Europe/Berlin', '30 2,14 * * *', '2026-03-28T20:00:00Z', ['03-29T01:00', '03-29T12:30', '03-30T00:30']],
    ['Europe/Berlin', '30 2,14 * * *', '2026-10-24T20:00:00Z', ['10-25T00:30', '10-25T13:30', '10-26T01:30']],
    // Every so many minutes follows elapsed time.
    ['Europe/Berlin', '*/30 * * * *', '2026-03-29T00:30:00Z', ['03-29T01:00', '03-29T01:30', '03-29T02:00']],
    ['Europe/Berlin', '*/30 * * * *', '2026-10-25T00:00:00Z', ['10-25T00:30', '10-25T01:00', '10-25T01:30']],
    ['Europe/Berlin', '0 * * * *', '2026-10-24T23:30:00Z', ['10-25T00:00', '10-25T01:00', '10-25T02:00']],
    // Midnight itself may be missing.
    ['America/Santiago', '@daily', '2026-09-05T05:00:00Z', ['09-06T04:00', '09-07T03:00', '09-08T03:00']],
  ])('%s %s after %s', (timezone, expression, from, expected) => {
    const got = slots(cron(expression, timezone), from, expected.length);
    expect(got.map((iso) => iso.slice(5, 16))).toEqual(expected);
  });

  const localDay = (timezone: string) => new Intl.DateTimeFormat('en-CA', { timeZone: timezone, dateStyle: 'short' });
  test.each(['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'UTC'])(
    'in %s a daily time fires once on each local day, whatever the time',
    (timezone) => {
      const format = localDay(timezone);
      fc.assert(
        fc.property(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }), (hour, minute) => {
          const runs = nextRuns(cron(`${minute} ${hour} * * *`, timezone), 367, at('2026-01-01T12:00:00Z'));
          const days = runs.map((run) => format.format(run.logicalDate));
          expect(new Set(days).size).toBe(days.length);
          const span = Math.round((runs.at(-1)!.runAt.getTime() - runs[0]!.runAt.getTime()) / 86_400_000);
          expect(span).toBe(366);
        }),
        { numRuns: 12 },
      );
    },
  );
});

describe('start, end and catchup', () => {
  const timing = cron('@daily', 'UTC', { startDate: '2026-01-01T00:00:00.000Z', endDate: '2026-01-10T00:00:00.000Z' });
  const now = at('2026-01-05T15:00:00Z');
  const logical = (run: ReturnType<typeof nextRun>) => run?.logicalDate.toISOString().slice(0, 10) ?? null;

  test('with catchup every slot since the start is run', () => {
    expect(logical(resumeRuns(timing, null, now))).toBe('2026-01-01');
    expect(logical(nextRun(timing, at('2026-01-01T00:00:00Z'), now))).toBe('2026-01-02');
    expect(logical(nextRun(timing, at('2026-01-05T00:00:00Z'), now))).toBe('2026-01-06');
  });
  test('without catchup only the newest slot that a scheduler missed is run, then the future', () => {
    const newest = { ...timing, catchup: false };
    expect(logical(nextRun(newest, at('2026-01-02T00:00:00Z'), now))).toBe('2026-01-05');
    expect(logical(nextRun(newest, at('2026-01-05T00:00:00Z'), now))).toBe('2026-01-06');
  });
  test('without catchup what passed before a DAG was new or while it was paused is over', () => {
    const newest = { ...timing, catchup: false };
    expect(logical(resumeRuns(newest, null, now))).toBe('2026-01-06');
    expect(logical(resumeRuns(newest, at('2026-01-02T00:00:00Z'), now))).toBe('2026-01-06');
  });
  test('with catchup what passed while it was paused is made up for', () =>
    expect(logical(resumeRuns(timing, at('2026-01-02T00:00:00Z'), now))).toBe('2026-01-03'));
  test('no logical date lies after the end; the end itself is one', () => {
    expect(logical(nextRun(timing, at('2026-01-09T00:00:00Z'), now))).toBe('2026-01-10');
    expect(nextRun(timing, at('2026-01-10T00:00:00Z'), now)).toBeNull();
  });
  test('before the start the first slot is at or after it', () => {
    expect(logical(resumeRuns({ ...timing, catchup: false }, null, at('2025-12-01T00:00:00Z')))).toBe('2026-01-01');
    expect(logical(resumeRuns({ ...timing, startDate: '2026-01-01T00:00:01.000Z' }, null, now))).toBe('2026-01-02');
  });
  test('a start moved into the future holds back the next slot', () => {
    const moved = { ...timing, startDate: '2026-01-08T00:00:00.000Z' };
    expect(logical(nextRun(moved, at('2026-01-04T00:00:00Z'), now))).toBe('2026-01-08');
    expect(logical(resumeRuns(moved, at('2026-01-04T00:00:00Z'), now))).toBe('2026-01-08');
  });
  test.each([true, false])('without a start the first slot is the next one (catchup %s)', (catchup) =>
    expect(logical(resumeRuns(cron('@daily', 'UTC', { catchup }), null, now))).toBe('2026-01-06'),
  );
  test('a DAG without schedule never runs by itself', () => {
    expect(resumeRuns({ ...timing, schedule: null }, null, now)).toBeNull();
    expect(nextRun({ ...timing, schedule: null }, now, now)).toBeNull();
  });
});

describe('data intervals', () => {
  const timing = cron('@daily', 'UTC', { startDate: '2026-01-01T00:00:00.000Z', dataIntervals: true, catchup: false });
  const now = at('2026-01-05T15:00:00Z');
  const day = (n: number) => at(`2026-01-0${n}T00:00:00Z`);
  const covering = (from: number, to: number) => ({
    runAt: day(to),
    logicalDate: day(from),
    intervalStart: day(from),
    intervalEnd: day(to),
  });

  test('a run starts at the end of its interval and has the start as logical date', () =>
    expect(nextRun(timing, day(4), now)).toEqual(covering(5, 6)));
  test('a DAG that is un-paused runs its newest complete interval at once', () => {
    expect(resumeRuns(timing, null, now)).toEqual(covering(4, 5));
    expect(resumeRuns(timing, day(2), now)).toEqual(covering(4, 5));
  });
  test('not if that has run already', () => expect(resumeRuns(timing, day(4), now)).toEqual(covering(5, 6)));
  test('with catchup every interval since the start is run', () => {
    expect(resumeRuns({ ...timing, catchup: true }, null, now)).toEqual(covering(1, 2));
    expect(nextRun({ ...timing, catchup: true }, day(1), now)).toEqual(covering(2, 3));
  });
  test.each([true, false])('without a start the newest complete interval is the first (catchup %s)', (catchup) =>
    expect(resumeRuns({ ...timing, startDate: null, catchup }, null, now)).toEqual(covering(4, 5)),
  );
  test('no interval begins before the start', () => {
    const late = { ...timing, startDate: '2026-01-05T00:00:00.000Z' };
    expect(resumeRuns(late, null, now)).toEqual(covering(5, 6));
  });
  test('none begins after the end', () => {
    const ending = { ...timing, endDate: '2026-01-05T00:00:00.000Z' };
    expect(nextRun(ending, day(4), now)).toEqual(covering(5, 6));
    expect(nextRun(ending, day(5), now)).toBeNull();
  });
  test('a run that a person asks for covers the newest complete interval', () => {
    expect(intervalOfManualRun(timing, now)).toEqual({ start: day(4), end: day(5) });
    expect(intervalOfManualRun(timing, day(5))).toEqual({ start: day(4), end: day(5) });
    expect(intervalOfManualRun({ ...timing, dataIntervals: false }, now)).toEqual({ start: now, end: now });
    expect(intervalOfManualRun({ ...timing, schedule: null }, now)).toEqual({ start: now, end: now });
  });
  test('a day is 23 or 25 hours long when clocks change', () => {
    const berlin = cron('@daily', 'Europe/Berlin', { dataIntervals: true });
    const hours = (from: string) =>
      nextRuns(berlin, 3, at(from)).map((run) => (run.intervalEnd.getTime() - run.intervalStart.getTime()) / 3_600_000);
    expect(hours('2026-03-29T12:00:00Z')).toEqual([24, 23, 24]);
    expect(hours('2026-10-25T12:00:00Z')).toEqual([24, 25, 24]);
  });
});

describe('once and continuously', () => {
  const now = at('2026-01-05T15:00:00Z');
  const once = cron('', 'UTC', { schedule: { kind: 'once' } });
  const continuous = cron('', 'UTC', { schedule: { kind: 'continuous' } });
  const dates = (run: ReturnType<typeof nextRun>) =>
    run && [run.runAt, run.logicalDate, run.intervalStart, run.intervalEnd].map((date) => date.toISOString());

  test('@once runs at its start, or at once', () => {
    expect(resumeRuns({ ...once, startDate: '2026-01-02T00:00:00.000Z' }, null, now)?.runAt).toEqual(at('2026-01-02'));
    expect(resumeRuns({ ...once, startDate: '2026-02-02T00:00:00.000Z' }, null, now)?.runAt).toEqual(at('2026-02-02'));
    expect(resumeRuns(once, null, now)?.logicalDate).toEqual(now);
  });
  test('@once never runs a second time', () => {
    expect(resumeRuns(once, at('2026-01-01'), now)).toBeNull();
    expect(nextRun(once, at('2026-01-01'), now)).toBeNull();
  });
  test('@continuous covers the time since the run before', () => {
    const last = at('2026-01-05T14:30:00Z');
    const iso = [now, now, last, now].map((date) => date.toISOString());
    expect(dates(resumeRuns(continuous, last, now))).toEqual(iso);
  });
  test('@continuous waits for its start, and the first run covers the time since then', () => {
    const start = '2026-01-05T00:00:00.000Z';
    expect(resumeRuns({ ...continuous, startDate: start }, null, now)?.intervalStart).toEqual(at(start));
    const early = resumeRuns({ ...continuous, startDate: start }, null, at('2026-01-01'));
    expect(dates(early)).toEqual([start, start, start, start]);
  });
  test('@continuous is not due by the clock: the end of its run asks for the next', () =>
    expect(nextRun(continuous, at('2026-01-01'), now)).toBeNull());
  test('@continuous never has the same logical date twice', () =>
    expect(resumeRuns(continuous, now, now)?.logicalDate.getTime()).toBe(now.getTime() + 1));
  test('@continuous ends at its end', () =>
    expect(resumeRuns({ ...continuous, endDate: '2026-01-05T00:00:00.000Z' }, null, now)).toBeNull());
});

describe('several at once', () => {
  test('several crons fire whenever one of them does, and once when two do', () => {
    const both = cron('', 'UTC', { schedule: { kind: 'cron', expressions: ['0 6 * * *', '0 */6 * * SAT'] } });
    expect(slots(both, '2026-01-02T05:00:00Z', 6)).toEqual([
      '2026-01-02T06:00:00Z',
      '2026-01-03T00:00:00Z',
      '2026-01-03T06:00:00Z',
      '2026-01-03T12:00:00Z',
      '2026-01-03T18:00:00Z',
      '2026-01-04T06:00:00Z',
    ]);
  });
  const events = { kind: 'dates' as const, dates: ['2026-01-02T00:00:00.000Z', '2026-01-09T00:00:00.000Z'] };
  test('dates are run each once, then nothing', () =>
    expect(slots(cron('', 'UTC', { schedule: events }), '2026-01-01T00:00:00Z', 5)).toEqual([
      '2026-01-02T00:00:00Z',
      '2026-01-09T00:00:00Z',
    ]));
  test('dates before the start are none', () =>
    expect(
      slots(cron('', 'UTC', { schedule: events, startDate: '2026-01-05T00:00:00.000Z' }), '2026-01-01T00:00:00Z', 5),
    ).toEqual(['2026-01-09T00:00:00Z']));
  test('assets with a time run by that time, assets alone by no time', () => {
    const assets = { kind: 'assets' as const, expression: { asset: 'a' } };
    const or: TimeSchedule = { kind: 'cron', expressions: ['@daily'] };
    expect(slots(cron('', 'UTC', { schedule: { ...assets, or } }), '2026-01-01T05:00:00Z', 1)).toEqual([
      '2026-01-02T00:00:00Z',
    ]);
    expect(slots(cron('', 'UTC', { schedule: { ...assets, or: null } }), '2026-01-01T05:00:00Z', 1)).toEqual([]);
  });
});

describe('intervals', () => {
  test('are aligned to the start, and the start is the first slot', () =>
    expect(slots(every(900, { startDate: '2026-01-01T00:07:00.000Z' }), '2025-12-31T00:00:00Z', 3)).toEqual([
      '2026-01-01T00:07:00Z',
      '2026-01-01T00:22:00Z',
      '2026-01-01T00:37:00Z',
    ]));
  test('follow elapsed time when clocks change', () =>
    expect(
      slots(
        every(86_400, { startDate: '2026-03-27T23:00:00.000Z', timezone: 'Europe/Berlin' }),
        '2026-03-28T12:00:00Z',
        2,
      ),
    ).toEqual(['2026-03-28T23:00:00Z', '2026-03-29T23:00:00Z']));
  test('without catchup jump to the newest slot', () => {
    const timing = every(3600, { startDate: '2026-01-01T00:30:00.000Z', catchup: false });
    const run = nextRun(timing, at('2026-01-01T00:30:00Z'), at('2026-01-02T10:05:00Z'));
    expect(run?.runAt.toISOString()).toBe('2026-01-02T09:30:00.000Z');
  });
});

describe('properties', () => {
  const expressions = fc.constantFrom(
    '@hourly',
    '@daily',
    '*/7 * * * *',
    '30 2 * * *',
    '0 1,2,3 * * *',
    '15 */5 * * SUN',
    '0 0 29 2 *',
    '*/25 * * * * *',
  );
  const instants = fc.date({ min: at('2026-01-01'), max: at('2026-12-31'), noInvalidDate: true });
  const crons = fc.uniqueArray(expressions, { minLength: 1, maxLength: 3, size: 'max' });
  const slotted = fc.oneof(
    crons.map((list) => ({ kind: 'cron' as const, expressions: list })),
    fc.integer({ min: 1, max: 200_000 }).map((seconds) => ({ kind: 'interval' as const, seconds })),
  );
  const timezone = fc.constantFrom(
    'UTC',
    'Europe/Berlin',
    'America/New_York',
    'Australia/Lord_Howe',
    'Asia/Kathmandu',
    'America/Santiago',
  );
  const timings: fc.Arbitrary<Timing> = fc.record({
    schedule: slotted,
    timezone,
    startDate: fc.option(instants.map((date) => date.toISOString())),
    endDate: fc.constant(null),
    catchup: fc.boolean(),
    dataIntervals: fc.boolean(),
  });

  test('the next run is after the last and not before the start; without catchup none is left between it and now', () => {
    fc.assert(
      fc.property(timings, fc.option(instants), instants, fc.boolean(), (timing, last, now, resumes) => {
        const run = resumes || !last ? resumeRuns(timing, last, now) : nextRun(timing, last, now);
        if (!run) return;
        if (last) expect(run.logicalDate.getTime()).toBeGreaterThan(last.getTime());
        if (timing.startDate) expect(run.logicalDate.getTime()).toBeGreaterThanOrEqual(Date.parse(timing.startDate));
        const following = nextRun({ ...timing, catchup: true }, run.logicalDate, now);
        if (!timing.catchup && following) expect(following.runAt.getTime()).toBeGreaterThan(now.getTime());
      }),
      { numRuns: 300 },
    );
  });
  test('every run is strictly later than the one before it, in both meanings', () => {
    fc.assert(
      fc.property(timings, instants, (timing, now) => {
        const runs = upcomingRuns(timing, resumeRuns(timing, null, now), 6, now);
        runs.slice(1).forEach((run, i) => {
          expect(run.logicalDate.getTime()).toBeGreaterThan(runs[i]!.logicalDate.getTime());
          expect(run.runAt.getTime()).toBeGreaterThan(runs[i]!.runAt.getTime());
        });
      }),
      { numRuns: 200 },
    );
  });
  test('data intervals tile time: each begins where the one before ends, and its run starts at its end', () => {
    fc.assert(
      fc.property(timings, instants, (some, now) => {
        const timing = { ...some, dataIntervals: true, catchup: true };
        const runs = upcomingRuns(timing, resumeRuns(timing, null, now), 8, now);
        for (const run of runs) {
          expect(run.intervalEnd.getTime()).toBeGreaterThan(run.intervalStart.getTime());
          expect(run).toMatchObject({ runAt: run.intervalEnd, logicalDate: run.intervalStart });
        }
        runs.slice(1).forEach((run, i) => expect(run.intervalStart).toEqual(runs[i]!.intervalEnd));
      }),
      { numRuns: 200 },
    );
  });
  test('both meanings have the same slots', () => {
    fc.assert(
      fc.property(timings, instants, instants, (some, last, now) => {
        const timing = { ...some, catchup: true };
        const [run, interval] = [false, true].map((dataIntervals) => nextRun({ ...timing, dataIntervals }, last, now));
        expect(interval?.logicalDate).toEqual(run?.logicalDate);
      }),
      { numRuns: 100 },
    );
  });
  test('several crons are the merge of each', () => {
    fc.assert(
      fc.property(crons, timezone, instants, (list, zone, now) => {
        const of = (expressions: string[]) =>
          nextRuns(cron('', zone, { schedule: { kind: 'cron', expressions } }), 8, now).map((run) =>
            run.runAt.getTime(),
          );
        const merged = [...new Set(list.flatMap((one) => of([one])))].sort((a, b) => a - b).slice(0, 8);
        expect(of(list)).toEqual(merged);
      }),
      { numRuns: 100 },
    );
  });
  test('the same slots are found from wherever one asks', () => {
    fc.assert(
      fc.property(timings, instants, fc.nat(100), (some, from, part) => {
        const timing = { ...some, dataIntervals: false };
        const [first, second] = nextRuns(timing, 2, from);
        if (!first || !second) return;
        const between =
          first.runAt.getTime() + Math.floor(((second.runAt.getTime() - first.runAt.getTime() - 1) * part) / 100);
        expect(nextRuns(timing, 1, new Date(between))[0]?.runAt).toEqual(second.runAt);
      }),
      { numRuns: 300 },
    );
  });
  test('in UTC the slots of minutes and hours are those of a plain search', () => {
    const field = (max: number) => fc.uniqueArray(fc.integer({ min: 0, max }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(field(59), field(23), fc.option(field(6)), (minutes, hours, days) => {
        const expected: string[] = [];
        for (let time = at('2026-02-26T00:01:00Z').getTime(); expected.length < 5; time += 60_000) {
          const date = new Date(time);
          const dayFits = !days || days.includes(date.getUTCDay());
          if (dayFits && minutes.includes(date.getUTCMinutes()) && hours.includes(date.getUTCHours()))
            expected.push(date.toISOString().replace('.000Z', 'Z'));
        }
        expect(
          slots(cron(`${minutes.join()} ${hours.join()} * * ${days?.join() ?? '*'}`), '2026-02-26T00:00:00Z', 5),
        ).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });
});
