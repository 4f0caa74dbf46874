import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import type { Schedule } from '../../sdk/task-types.ts';
import { describeSchedule } from '../../sdk/schedule.ts';
import { dagSpecJsonSchema } from '../../sdk/dag-spec-schema.ts';
import { validateDagSpec } from '../../sdk/validate-dag-spec.ts';

const validate = (fields: { [field: string]: unknown }) =>
  validateDagSpec({ dagId: 'd', tasks: [{ taskId: 'a', kind: 'empty' }], ...fields });
const issues = (fields: { [field: string]: unknown }) => {
  const checked = validate(fields);
  return checked.ok ? [] : checked.issues.map(({ path, message }) => `${path}: ${message}`);
};
const scheduleOf = (schedule: Schedule | null, fields = {}) => {
  const checked = validate({ schedule, ...fields });
  return checked.ok ? checked.spec.schedule : checked.issues;
};

const accepts = new Ajv2020({ strict: false }).compile(dagSpecJsonSchema());

describe('a schedule', () => {
  const daily = { kind: 'cron', expressions: ['@daily'] };
  it.each<[Schedule, unknown]>([
    ['@once', { kind: 'once' }],
    [['0 6 * * *', ' 0  18 * * SAT', '0 6 * * *'], { kind: 'cron', expressions: ['0 6 * * *', '0 18 * * SAT'] }],
    [
      { dates: ['2026-02-01T06:00', '2026-01-01', '2026-01-01T00:00:00Z'] },
      { kind: 'dates', dates: ['2026-01-01T00:00:00.000Z', '2026-02-01T06:00:00.000Z'] },
    ],
    [{ assets: 'a' }, { kind: 'assets', expression: { asset: 'a' }, or: null }],
    [{ assets: ['a', 'b'] }, { kind: 'assets', expression: { all: [{ asset: 'a' }, { asset: 'b' }] }, or: null }],
    [
      { assets: { any: ['a', { all: ['b', 's3://bucket/c'] }] }, or: '@daily' },
      {
        kind: 'assets',
        expression: { any: [{ asset: 'a' }, { all: [{ asset: 'b' }, { asset: 's3://bucket/c' }] }] },
        or: daily,
      },
    ],
    [{ assets: { all: [{ any: ['a', 'a'] }] } }, { kind: 'assets', expression: { asset: 'a' }, or: null }],
  ])('%j is %j, which is its own canonical form', (written, canonical) => {
    expect(scheduleOf(written)).toEqual(canonical);
    expect(scheduleOf(canonical as Schedule)).toEqual(canonical);
    for (const schedule of [written, canonical])
      expect(accepts({ dagId: 'd', tasks: [{ taskId: 'a', kind: 'empty' }], schedule })).toBe(true);
  });
  it('of dates is read in the time zone of the DAG', () =>
    expect(scheduleOf({ dates: ['2026-07-01T06:00'] }, { timezone: 'Europe/Berlin' })).toEqual({
      kind: 'dates',
      dates: ['2026-07-01T04:00:00.000Z'],
    }));
  it.each<[Schedule, string]>([
    ['@once', '@once'],
    [['0 6 * * *', '@weekly'], '0 6 * * * | @weekly'],
    [{ every: '15m' }, 'every 900s'],
    [{ dates: ['2026-01-01', '2026-01-02'] }, 'at 2 dates'],
    [{ assets: { any: ['a', ['b', 'c']] }, or: '@daily' }, 'assets a | (b & c) or @daily'],
  ])('%j is shown as %s', (written, shown) => {
    const checked = validate({ schedule: written });
    expect(checked.ok && checked.spec.schedule && describeSchedule(checked.spec.schedule)).toBe(shown);
  });
});

describe('what is wrong with a schedule is said', () => {
  it.each<[string, unknown, RegExp]>([
    ['a cron of several', ['0 6 * * *', '61 * * * *'], /^schedule: \[1\]: '61 \* \* \* \*' is not a cron expression/],
    ['no cron at all', [], /^schedule: a list is not a list of cron expressions|^schedule: .*Write a cron/],
    ['@once beside a cron', ['@once', '@daily'], /^schedule: \[0\]: '@once' cannot be combined/],
    ['a date that is none', { dates: ['2026-02-30'] }, /^schedule: dates\[0\]: '2026-02-30' is not a date/],
    ['no date', { dates: [] }, /^schedule: dates: a list; give at least one/],
    ['an empty expression of assets', { assets: { all: [] } }, /^schedule: assets: an empty list does not say which/],
    ['a wrong word in it', { assets: { some: ['a'] } }, /^schedule: assets: an object does not say which assets/],
    ['a name with a space around', { assets: ['a', ' b'] }, /^schedule: assets\.all\[1\]: ' b' is not the name/],
    ['a wrong time beside assets', { assets: 'a', or: '@dayly' }, /^schedule: or: Unknown preset '@dayly'/],
    ['an unknown key beside assets', { assets: 'a', and: '@daily' }, /^schedule: Unknown key 'and'/],
    ['another object', { at: '6am' }, /^schedule: An object with at is not a schedule/],
    ['more than ten years', { every: '3651d' }, /^schedule: '3651d' is not an interval\. .* at most ten years/],
    ['a time of no end', { kind: 'interval', seconds: 1e300 }, /^schedule: 1e\+300 is not an interval/],
    ['a number', 5, /^schedule: 5 is not a schedule/],
  ])('%s', (_name, schedule, message) => {
    const found = issues({ schedule });
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(message);
  });
  it('assets nested without end', () => {
    let assets: unknown = 'a';
    for (let i = 0; i < 20; i++) assets = { all: [assets, 'b'] };
    expect(issues({ schedule: { assets } })[0]).toMatch(/nested deeper than 8 levels/);
  });
});

describe('what does not go together is said', () => {
  it.each<[string, { [field: string]: unknown }, string]>([
    [
      '@continuous with more than one active run',
      { schedule: '@continuous' },
      `maxActiveRuns: '@continuous' starts a run when the last has ended: it needs maxActiveRuns 1.`,
    ],
    [
      'data intervals of dates',
      { schedule: { dates: ['2026-01-01'] }, dataIntervals: true },
      `dataIntervals: A schedule of kind 'dates' has no data intervals. Use cron or an interval, or leave it out.`,
    ],
    [
      'catchup where runs are dropped',
      { schedule: '@daily', catchup: true, overlap: 'skip' },
      `overlap: 'skip' drops runs that catchup would make. Leave one of the two out.`,
    ],
    [
      'a buffer of one with more than one active run',
      { schedule: '@daily', overlap: 'buffer_one' },
      `maxActiveRuns: overlap 'buffer_one' lets one run wait for the one before: it needs maxActiveRuns 1.`,
    ],
    [
      'failFast where a task wants failures',
      { failFast: true, tasks: [{ taskId: 'a', kind: 'empty', triggerRule: 'all_done' }] },
      `tasks[0].triggerRule: failFast ends the run at the first failure: 'all_done' would have no meaning. Use all_success, or leave failFast out.`,
    ],
  ])('%s', (_name, fields, issue) => expect(issues(fields)).toEqual([issue]));
  it('and what does is accepted', () => {
    expect(issues({ schedule: '@continuous', maxActiveRuns: 1 })).toEqual([]);
    expect(issues({ schedule: '@daily', dataIntervals: true, overlap: 'buffer_one', maxActiveRuns: 1 })).toEqual([]);
    expect(issues({ schedule: { every: 60 }, overlap: 'cancel_running', dagrunTimeout: '1h', failFast: true })).toEqual(
      [],
    );
  });
});
