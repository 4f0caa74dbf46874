import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { setDagPaused } from '#db/queries/dag.ts';
import { startTestApp, type TestApp } from '../helpers/app.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { dagOf } from '../helpers/engine.ts';

const database = await createTestDatabase();
let app: TestApp;
let viewer: string;
beforeAll(async () => {
  app = await startTestApp(database);
  viewer = await app.token('viewer');
});
afterAll(() => app.stop());

const RUNS = 'runAt logicalDate dataIntervalStart dataIntervalEnd';
async function nextRuns(dagId: string, first = 3) {
  const query = `query Q($dagId: String!, $first: Int!) { dag(dagId: $dagId) { schedule nextRuns(first: $first) { ${RUNS} } } }`;
  return app.graphql(query, { dagId, first }, viewer);
}
async function preview(args: { [name: string]: unknown }) {
  const { data, errors } = await app.graphql(
    `query Q($schedule: JSON, $timezone: String! = "UTC", $startDate: String, $endDate: String, $catchup: Boolean! = false, $dataIntervals: Boolean! = false, $first: Int! = 2) {
      schedulePreview(schedule: $schedule, timezone: $timezone, startDate: $startDate, endDate: $endDate, catchup: $catchup, dataIntervals: $dataIntervals, first: $first) {
        __typename ... on QuerySchedulePreviewSuccess { data { description runs { ${RUNS} } } } ... on ValidationError { issues { path message } } } }`,
    args,
    viewer,
  );
  if (errors) throw new Error(JSON.stringify(errors));
  return data.schedulePreview;
}
const year = new Date().getUTCFullYear() + 2;
const hour = (n: number) => `${year}-03-01T${String(n).padStart(2, '0')}:00:00.000Z`;
const run = (at: string, end = at) => ({ runAt: end, logicalDate: at, dataIntervalStart: at, dataIntervalEnd: end });

describe('Dag.nextRuns', () => {
  const hourly = { schedule: { kind: 'interval', seconds: 3600 } as const, startDate: hour(0) };

  it('shows the runs that are coming', async () => {
    await app.engine.deploy(dagOf('next', { a: [] }, { ...hourly, endDate: hour(1) }));
    const { data } = await nextRuns('next', 5);
    expect(data.dag).toEqual({ schedule: 'every 3600s', nextRuns: [run(hour(0)), run(hour(1))] });
  });

  it('shows what un-pausing a paused DAG would bring', async () => {
    const { dagId } = await app.engine.deploy(dagOf('next_paused', { a: [] }, { ...hourly, dataIntervals: true }));
    await setDagPaused(database.db, dagId, true, 'test');
    const { data } = await nextRuns('next_paused', 2);
    expect(data.dag.nextRuns).toEqual([run(hour(0), hour(1)), run(hour(1), hour(2))]);
  });

  it('is empty without a schedule', async () => {
    await app.engine.deploy(dagOf('next_none', { a: [] }));
    expect((await nextRuns('next_none')).data.dag).toEqual({ schedule: null, nextRuns: [] });
  });

  it('gives at most 100', async () => {
    await app.engine.deploy(dagOf('next_many', { a: [] }, hourly));
    expect((await nextRuns('next_many', 100)).data.dag.nextRuns).toHaveLength(100);
    for (const first of [101, -1])
      expect((await nextRuns('next_many', first)).errors?.[0]?.message).toBe(`first: from 0 to 100, not ${first}.`);
  });
});

describe('schedulePreview', () => {
  it('shows what a schedule would do', async () => {
    const schedule = { assets: ['a', 'b'], or: { every: '1h' } };
    expect(await preview({ schedule, startDate: `${year}-03-01` })).toEqual({
      __typename: 'QuerySchedulePreviewSuccess',
      data: { description: 'assets a & b or every 3600s', runs: [run(hour(0)), run(hour(1))] },
    });
  });

  it('reads dates in the time zone', async () => {
    const { data } = await preview({ schedule: '@once', timezone: 'Asia/Tokyo', startDate: `${year}-03-01T09:00` });
    expect(data).toEqual({ description: '@once', runs: [run(hour(0))] });
  });

  it('shows the whole catch-up, and data intervals', async () => {
    const { data } = await preview({ schedule: '@daily', startDate: '2026-01-01', catchup: true, dataIntervals: true });
    expect(data.runs).toEqual([
      run('2026-01-01T00:00:00.000Z', '2026-01-02T00:00:00.000Z'),
      run('2026-01-02T00:00:00.000Z', '2026-01-03T00:00:00.000Z'),
    ]);
  });

  it('answers with all that is wrong', async () => {
    const result = await preview({ schedule: '61 * * * *', timezone: 'Mars', startDate: 'soon' });
    expect(result.__typename).toBe('ValidationError');
    expect(result.issues.map((issue: { path: string[] }) => issue.path.join())).toEqual([
      'timezone',
      'schedule',
      'startDate',
    ]);
  });

  it('takes no schedule as one that never runs', async () =>
    expect((await preview({ schedule: null })).data).toEqual({ description: null, runs: [] }));

  it('is for those who may read', async () => {
    const { errors } = await app.graphql(`{ schedulePreview(schedule: "@daily") { __typename } }`);
    expect(errors).toHaveLength(1);
  });
});

it('a triggered run of a DAG with data intervals covers the newest complete one', async () => {
  const options = { schedule: { kind: 'interval', seconds: 3600 } as const, dataIntervals: true };
  await app.engine.deploy(dagOf('manual', { a: [] }, options));
  const { data } = await app.graphql(
    `mutation { triggerDagRun(input: { dagId: "manual", logicalDate: "2026-03-01T05:20:00Z" }) {
      ... on MutationTriggerDagRunSuccess { data { logicalDate dataIntervalStart dataIntervalEnd } } } }`,
    {},
    await app.token('editor'),
  );
  expect(data.triggerDagRun.data).toEqual({
    logicalDate: '2026-03-01T05:20:00.000Z',
    dataIntervalStart: '2026-03-01T04:00:00.000Z',
    dataIntervalEnd: '2026-03-01T05:00:00.000Z',
  });
});

it('a DAG and its runs say which rules they follow and why they ended', async () => {
  const { dagId } = await app.engine.deploy(
    dagOf('ruled', { a: [] }, { overlap: 'skip', maxConsecutiveFailedRuns: 3, dagrunTimeout: 90, failFast: true }),
  );
  const [made] = await app.engine.createRuns([{ dagId, kind: 'manual' }]);
  const end = { as: 'failed', rest: 'skipped', actor: 'test', cause: 'run_timeout', reason: 'Too long.' } as const;
  const early = [{ provided: 'overdue' }, { provided: { failed: { taskIndex: 0, mapIndex: -1 } } }] as const;
  for (const provided of early)
    expect(await app.engine.endRun({ ...end, ...provided, runId: made!.runId })).toBe('changed');
  expect(await app.engine.endRun({ ...end, runId: made!.runId })).toBe('ended');
  expect(await app.engine.endRun({ ...end, runId: made!.runId })).toBe('finished');
  expect(await app.engine.endRun({ ...end, runId: 1 })).toBe('not_found');
  const { data } = await app.graphql(
    `{ dag(dagId: "ruled") { overlap maxConsecutiveFailedRuns dagrunTimeout failFast catchup dataIntervals pauseReason
      recentRuns(first: 1) { state endReason } } }`,
    {},
    viewer,
  );
  expect(data.dag).toEqual({
    overlap: 'SKIP',
    maxConsecutiveFailedRuns: 3,
    dagrunTimeout: 90,
    failFast: true,
    catchup: false,
    dataIntervals: false,
    pauseReason: null,
    recentRuns: [{ state: 'FAILED', endReason: 'Too long.' }],
  });
});
