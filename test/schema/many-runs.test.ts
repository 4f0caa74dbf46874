/** Backfills, jobs over many runs, another run of a date, notes and the difference of versions, as the API gives them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runBackfills } from '#server/scheduler/run-backfills.ts';
import { runBulkJobs } from '#server/scheduler/run-bulk-jobs.ts';
import { startTestApp, type TestApp } from '../helpers/app.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { dagOf, statesOf, work } from '../helpers/engine.ts';
import { openSocket, type TestSocket } from '../helpers/socket.ts';

const database = await createTestDatabase();
const { db, pool } = database;
let app: TestApp;
let editor: string;
let viewer: string;
let socket: TestSocket;
let worker: number;

beforeAll(async () => {
  app = await startTestApp(database);
  editor = await app.token('editor');
  viewer = await app.token('viewer');
  socket = openSocket(app.url(), { token: viewer });
  worker = await app.engine.worker();
});
afterAll(async () => {
  await socket.stop();
  await app.stop();
});

/** The member of the result, or the errors. `args`: the arguments as they are written. */
async function mutate(name: string, args: string, fields: string, token = editor) {
  const success = `Mutation${name[0]!.toUpperCase()}${name.slice(1)}Success`;
  const issues = /\binput:|\btext:/.test(args) ? '... on ValidationError { issues { path message } }' : '';
  const result = await app.graphql(
    `mutation { ${name}(${args}) { __typename ... on Error { message } ${issues}
      ... on ${success} { data { ${fields} } } } }`,
    {},
    token,
  );
  return result.data?.[name] ?? result.errors;
}
const query = async (text: string) => {
  const result = await app.graphql(`{ ${text} }`, {}, viewer);
  return result.data ?? result.errors;
};
const count = async (table: string) => (await pool.query(`select 1 from ${table}`)).rowCount;
const FORBIDDEN = [{ extensions: { code: 'FORBIDDEN' } }];
const issue = (field: string, message: RegExp) => ({
  __typename: 'ValidationError',
  issues: [{ path: ['input', ...field.split('.')], message: expect.stringMatching(message) }],
});

const DAILY = { schedule: { kind: 'cron' as const, expressions: ['@daily'] }, startDate: '2026-01-01T00:00:00.000Z' };
let names = 0;
async function deployed(options: object = DAILY, tasks: Parameters<typeof dagOf>[1] = { a: [], b: ['a'] }) {
  const name = `dag_${++names}`;
  const { dagId } = await app.engine.deploy(dagOf(name, tasks, options));
  return { name, dagId };
}
async function endedRuns(dagId: number, number: number, outcome: 'success' | 'failed' = 'failed'): Promise<number[]> {
  const runs = await app.engine.createRuns(Array.from({ length: number }, () => ({ dagId, kind: 'manual' as const })));
  await work(app.engine, worker, () => outcome);
  return runs.map(({ runId }) => runId);
}

describe('createBackfill', () => {
  const dates = 'from: "2026-03-01T00:00:00Z", to: "2026-03-03T00:00:00Z"';

  it('as a dry run says what becomes of each date and changes nothing', async () => {
    const { name } = await deployed();
    const before = await count('dag_run');
    const answer = await mutate(
      'createBackfill',
      `input: { dagId: "${name}", ${dates}, dryRun: true }`,
      'total toRun backfill { id } dates { logicalDate decision dagRun { id } }',
    );
    expect(answer.data).toEqual({
      total: 3,
      toRun: 3,
      backfill: null,
      dates: ['01', '02', '03'].map((day) => ({
        logicalDate: `2026-03-${day}T00:00:00.000Z`,
        decision: 'CREATE',
        dagRun: null,
      })),
    });
    expect(await query(`backfills(dagId: "${name}") { edges { node { id } } }`)).toEqual({ backfills: { edges: [] } });
    expect(await count('dag_run')).toBe(before);
  });

  it('tells each movement to those who watch it, and the dates name their runs', async () => {
    const { name } = await deployed();
    const made = await mutate('createBackfill', `input: { dagId: "${name}", ${dates} }`, 'backfill { backfillId }');
    const id = made.data.backfill.backfillId as string;
    const seen = socket.subscribe<{ state: string; progress: { [part: string]: number } }>(
      `subscription { backfillProgress(backfillId: "${id}") { state progress { pending running success total } } }`,
    );
    expect(await seen.take(1)).toEqual([
      { state: 'RUNNING', progress: { pending: 3, running: 0, success: 0, total: 3 } },
    ]);
    while (await runBackfills(db, app.engine));
    await work(app.engine, worker);
    while (await runBackfills(db, app.engine));
    while (seen.messages.at(-1)?.state !== 'COMPLETED') await seen.take(seen.messages.length + 1);
    expect(seen.messages.at(-1)).toEqual({
      state: 'COMPLETED',
      progress: { pending: 0, running: 0, success: 3, total: 3 },
    });
    expect(seen.errors).toEqual([]);
    seen.unsubscribe();
    const { backfill } = await query(
      `backfill(backfillId: "${id}") { createdBy dates(first: 2) { edges { node { outcome dagRun { state kind } } } pageInfo { hasNextPage } } }`,
    );
    expect(backfill).toMatchObject({
      createdBy: 'token editor',
      dates: {
        edges: [{}, {}].map(() => ({ node: { outcome: 'success', dagRun: { state: 'SUCCESS', kind: 'BACKFILL' } } })),
        pageInfo: { hasNextPage: true },
      },
    });
  });

  it('says what is wrong and where', async () => {
    const { name } = await deployed();
    const { name: unscheduled } = await deployed({});
    const create = (input: string) => mutate('createBackfill', `input: { ${input} }`, 'total');
    const backwards = 'from: "2026-03-03T00:00:00Z", to: "2026-03-01T00:00:00Z"';
    expect(await create(`dagId: "${name}", ${backwards}`)).toMatchObject(issue('to', /lies before/));
    expect(await create(`dagId: "${unscheduled}", ${dates}`)).toMatchObject(issue('from', /no schedule/));
    expect(await create(`dagId: "${name}", from: "2026-03-01T01:00:00Z", to: "2026-03-01T02:00:00Z"`)).toMatchObject(
      issue('from', /no date in this range/),
    );
    expect(await create(`dagId: "${name}", from: "2026-03-01T00:00:00Z", to: "2126-03-01T00:00:00Z"`)).toMatchObject(
      issue('to', /more than 10000 dates/),
    );
    expect(await create(`dagId: "${name}", ${dates}, maxActiveRuns: 0`)).toMatchObject(issue('maxActiveRuns', /./));
    expect(await create(`dagId: "${name}", ${dates}, conf: [1]`)).toMatchObject({ __typename: 'ValidationError' });
    expect(await create(`dagId: "nowhere", ${dates}`)).toMatchObject({ __typename: 'NotFoundError' });
  });

  it('is for editors, and so is all that moves one; whoever watches what is not there is told', async () => {
    const { name } = await deployed();
    const made = await mutate('createBackfill', `input: { dagId: "${name}", ${dates} }`, 'backfill { backfillId }');
    const id = `backfillId: "${made.data.backfill.backfillId}"`;
    expect(await mutate('createBackfill', `input: { dagId: "${name}", ${dates} }`, 'total', viewer)).toMatchObject(
      FORBIDDEN,
    );
    for (const name of ['pauseBackfill', 'resumeBackfill', 'cancelBackfill'])
      expect(await mutate(name, id, 'state', viewer)).toMatchObject(FORBIDDEN);
    expect(await mutate('pauseBackfill', id, 'state')).toMatchObject({ data: { state: 'PAUSED' } });
    expect(await mutate('cancelBackfill', id, 'state')).toMatchObject({ data: { state: 'CANCELLED' } });
    expect(await mutate('resumeBackfill', id, 'state')).toMatchObject({ __typename: 'ConflictError' });
    expect(await mutate('pauseBackfill', 'backfillId: "999"', 'state')).toMatchObject({ __typename: 'NotFoundError' });
    const lost = socket.subscribe('subscription { backfillProgress(backfillId: "999") { state } }');
    await expect(lost.take(1)).rejects.toThrow(/backfill/);
  });
});

describe('startBulkJob', () => {
  it('as a dry run says which runs and changes nothing', async () => {
    const { name, dagId } = await deployed();
    const [, newest] = await endedRuns(dagId, 2);
    const input = `input: { action: CLEAR, runs: { dagId: "${name}", states: [FAILED] }, dryRun: true }`;
    const before = await count('bulk_job');
    expect((await mutate('startBulkJob', input, 'total job { id } dagRuns { runId }')).data).toMatchObject({
      total: 2,
      job: null,
      dagRuns: [{ runId: String(newest) }, {}],
    });
    expect(await count('bulk_job')).toBe(before);
    expect(await statesOf(database, newest!)).toEqual({ a: 'failed', b: 'upstream_failed' });
  });

  it('clears the runs, and tells each movement to those who watch it', async () => {
    const { name, dagId } = await deployed();
    const runs = await endedRuns(dagId, 3);
    const input = `input: { action: CLEAR, runs: { dagId: "${name}", states: [FAILED] }, onlyFailed: true }`;
    const { data } = await mutate('startBulkJob', input, 'total job { jobId }');
    expect(data.total).toBe(3);
    const seen = socket.subscribe<{ state: string; done: number }>(
      `subscription { bulkJobProgress(jobId: "${data.job.jobId}") { state total done refused cancelled } }`,
    );
    expect(await seen.take(1)).toEqual([{ state: 'RUNNING', total: 3, done: 0, refused: 0, cancelled: 0 }]);
    while (await runBulkJobs(db, app.engine));
    while (seen.messages.at(-1)?.state !== 'COMPLETED') await seen.take(seen.messages.length + 1);
    expect(seen.messages.at(-1)).toEqual({ state: 'COMPLETED', total: 3, done: 3, refused: 0, cancelled: 0 });
    seen.unsubscribe();
    for (const runId of runs) expect(await statesOf(database, runId)).toEqual({ a: 'queued', b: 'none' });
    await work(app.engine, worker);
  });

  it('names the runs that refused it, and why', async () => {
    const { name, dagId } = await deployed();
    await endedRuns(dagId, 1);
    const input = `input: { action: CANCEL, runs: { dagId: "${name}" } }`;
    const { data } = await mutate('startBulkJob', input, 'job { jobId }');
    while (await runBulkJobs(db, app.engine));
    const { bulkJob } = await query(
      `bulkJob(jobId: "${data.job.jobId}") { refused items(refused: true) { edges { node { outcome message } } } }`,
    );
    expect(bulkJob).toMatchObject({
      refused: 1,
      items: { edges: [{ node: { outcome: 'refused', message: expect.stringMatching(/./) } }] },
    });
    expect(await mutate('cancelBulkJob', `jobId: "${data.job.jobId}"`, 'state')).toMatchObject({
      __typename: 'ConflictError',
    });
  });

  it('says what is wrong and where, and is for editors', async () => {
    const { name } = await deployed();
    const start = (input: string, token = editor) => mutate('startBulkJob', `input: { ${input} }`, 'total', token);
    expect(await start('action: CLEAR, runs: {}')).toMatchObject(
      issue('runs', /all runs of the service are never meant/),
    );
    expect(await start(`action: CANCEL, runs: { dagId: "${name}" }`)).toMatchObject(issue('runs', /no such run/));
    expect(await start(`action: MARK, runs: { dagId: "${name}" }, taskIds: ["a"]`)).toMatchObject(issue('state', /./));
    expect(await start('action: CLEAR, runs: { dagId: "nowhere" }')).toMatchObject({ __typename: 'NotFoundError' });
    expect(await start(`action: CLEAR, runs: { dagId: "${name}" }`, viewer)).toMatchObject(FORBIDDEN);
    expect(await mutate('cancelBulkJob', 'jobId: "1"', 'state', viewer)).toMatchObject(FORBIDDEN);
    expect(await mutate('cancelBulkJob', 'jobId: "999"', 'state')).toMatchObject({ __typename: 'NotFoundError' });
  });
});

describe('texts that cannot be stored', () => {
  const NUL = /NUL character/;

  it('are refused in notes and confs, and by their place', async () => {
    const { name, dagId } = await deployed();
    const [runId] = await endedRuns(dagId, 1);
    const text = 'a\\u0000b';
    const dates = 'from: "2026-03-01T00:00:00Z", to: "2026-03-01T00:00:00Z"';
    expect(await mutate('setRunNote', `runId: "${runId}", text: "${text}"`, 'runId')).toMatchObject({
      issues: [{ path: ['text'], message: expect.stringMatching(NUL) }],
    });
    expect(await mutate('setTaskNote', `taskInstanceId: "${runId}.0.-1", text: "${text}"`, 'taskId')).toMatchObject({
      issues: [{ path: ['text'], message: expect.stringMatching(NUL) }],
    });
    const backfill = (more: string) =>
      mutate('createBackfill', `input: { dagId: "${name}", ${dates}, ${more} }`, 'backfill { id }');
    expect(await backfill(`note: "${text}"`)).toMatchObject(issue('note', NUL));
    expect(await backfill(`conf: { a: ["${text}"] }`)).toMatchObject(issue('conf.a.0', NUL));
    const trigger = `input: { dagId: "${name}", conf: { b: "${text}" } }`;
    expect(await mutate('triggerDagRun', trigger, 'runId')).toMatchObject(issue('conf.b', NUL));
  });

  it('are the fault of who sends them, wherever else they stand', async () => {
    for (const field of [
      'variables(search: "\\u0000") { edges { cursor } }',
      'backfills(dagId: "\\u0000") { edges { cursor } }',
    ])
      expect(await query(field)).toMatchObject([
        { message: 'A text has a character that cannot be stored.', extensions: { code: 'BAD_USER_INPUT' } },
      ]);
  });
});

describe('what names nothing', () => {
  it('is refused as empty words of a selection', async () => {
    for (const word of ['states', 'kinds'])
      expect(await mutate('startBulkJob', `input: { action: CLEAR, runs: { ${word}: [] } }`, 'total')).toMatchObject({
        __typename: 'ValidationError',
        issues: [{ path: ['input', 'runs', word] }],
      });
  });

  it('is null as an id that is none', async () => {
    const [backfill, job] = ['Backfill:x', 'BulkJob:x'].map((id) => Buffer.from(id).toString('base64'));
    expect(await query(`a: node(id: "${backfill}") { id } b: node(id: "${job}") { id }`)).toEqual({ a: null, b: null });
  });

  it('is no cursor of a list when it lies beyond the places of its items', async () => {
    const { name, dagId } = await deployed();
    await endedRuns(dagId, 1);
    const dates = 'from: "2026-03-01T00:00:00Z", to: "2026-03-01T00:00:00Z"';
    const made = await mutate('createBackfill', `input: { dagId: "${name}", ${dates} }`, 'backfill { backfillId }');
    const bulk = await mutate('startBulkJob', `input: { action: CANCEL, runs: { dagId: "${name}" } }`, 'job { jobId }');
    const after = Buffer.from(String(2 ** 31)).toString('base64url');
    const lists = [
      `backfill(backfillId: "${made.data.backfill.backfillId}") { dates(after: "${after}") { edges { cursor } } }`,
      `bulkJob(jobId: "${bulk.data.job.jobId}") { items(after: "${after}") { edges { cursor } } }`,
    ];
    for (const list of lists)
      expect((await app.graphql(`{ ${list} }`, {}, viewer)).errors).toMatchObject([
        { message: `"${after}" is not a cursor of this list.`, extensions: { code: 'BAD_USER_INPUT' } },
      ]);
    while (await runBulkJobs(db, app.engine));
  });
});

describe('rerunDagRun', () => {
  it('makes another run with the same version and conf, or with the newest and another', async () => {
    const params = { type: 'object', properties: { size: { type: 'integer' } } };
    const { name, dagId } = await deployed({ ...DAILY, params });
    const [run] = await app.engine.createRuns([{ dagId, kind: 'manual', conf: { size: 1 } }]);
    await work(app.engine, worker);
    await app.engine.deploy(dagOf(name, { a: [], b: ['a'], c: ['b'] }, { ...DAILY, params }));
    const fields = 'conf triggeredBy version { number }';
    expect(await mutate('rerunDagRun', `input: { runId: "${run!.runId}" }`, fields)).toMatchObject({
      data: { conf: { size: 1 }, triggeredBy: 'token editor', version: { number: 1 } },
    });
    const latest = `input: { runId: "${run!.runId}", latestVersion: true, conf: { size: 2 } }`;
    expect(await mutate('rerunDagRun', latest, fields)).toMatchObject({
      data: { conf: { size: 2 }, version: { number: 2 } },
    });
    expect(await mutate('rerunDagRun', `input: { runId: "${run!.runId}", conf: { size: "x" } }`, fields)).toMatchObject(
      issue('conf.size', /./),
    );
    expect(await mutate('rerunDagRun', 'input: { runId: "999" }', fields)).toMatchObject({
      __typename: 'NotFoundError',
    });
    expect(await mutate('rerunDagRun', `input: { runId: "${run!.runId}" }`, fields, viewer)).toMatchObject(FORBIDDEN);
  });
});

describe('notes', () => {
  it('stand beside runs and task instances, and go with an empty text', async () => {
    const { dagId } = await deployed();
    const [runId] = await endedRuns(dagId, 1);
    const note = { text: 'late *again*', updatedBy: 'token editor' };
    const written = 'note { text updatedBy }';
    expect(await mutate('setRunNote', `runId: "${runId}", text: "late *again*"`, written)).toMatchObject({
      data: { note },
    });
    const task = `taskInstanceId: "${runId}.0.-1"`;
    expect(await mutate('setTaskNote', `${task}, text: "late *again*"`, written)).toMatchObject({ data: { note } });
    expect(
      await query(`dagRun(runId: "${runId}") { ${written} taskInstances { edges { node { taskId ${written} } } } }`),
    ).toEqual({
      dagRun: {
        note,
        taskInstances: { edges: [{ node: { taskId: 'a', note } }, { node: { taskId: 'b', note: null } }] },
      },
    });
    expect(await mutate('setRunNote', `runId: "${runId}", text: ""`, written)).toMatchObject({ data: { note: null } });
    expect(await mutate('setRunNote', 'runId: "999", text: "x"', written)).toMatchObject({
      __typename: 'NotFoundError',
    });
    expect(await mutate('setTaskNote', `taskInstanceId: "${runId}.9.-1", text: "x"`, written)).toMatchObject({
      __typename: 'NotFoundError',
    });
    expect(await mutate('setRunNote', `runId: "${runId}", text: "${'x'.repeat(10_001)}"`, written)).toMatchObject({
      __typename: 'ValidationError',
      issues: [{ path: ['text'] }],
    });
    expect(await mutate('setRunNote', `runId: "${runId}", text: "x"`, written, viewer)).toMatchObject(FORBIDDEN);
    expect(await mutate('setTaskNote', `${task}, text: "x"`, written, viewer)).toMatchObject(FORBIDDEN);
  });
});

describe('dagVersionDiff', () => {
  const FIELDS =
    'settings { field before after } tasks { taskId change fields { field } } edges { from to change } codeChanged';

  it('tells settings, tasks and edges that are different', async () => {
    const { name } = await deployed(DAILY, { a: [], b: ['a'] });
    await app.engine.deploy(dagOf(name, { a: { retries: 2 }, c: ['a'] }, { ...DAILY, catchup: true }));
    const { dagVersionDiff } = await query(`dagVersionDiff(dagId: "${name}", from: 1, to: 2) { ${FIELDS} }`);
    expect(dagVersionDiff).toEqual({
      settings: [{ field: 'catchup', before: false, after: true }],
      tasks: [
        { taskId: 'a', change: 'CHANGED', fields: [{ field: 'retries' }] },
        { taskId: 'c', change: 'ADDED', fields: [] },
        { taskId: 'b', change: 'REMOVED', fields: [] },
      ],
      edges: [
        { from: 'a', to: 'c', change: 'ADDED' },
        { from: 'a', to: 'b', change: 'REMOVED' },
      ],
      codeChanged: false,
    });
  });

  it('is null for a DAG that is not there, and an error for a version that is not', async () => {
    const { name } = await deployed();
    expect(await query('dagVersionDiff(dagId: "nowhere", from: 1, to: 2) { codeChanged }')).toEqual({
      dagVersionDiff: null,
    });
    const { errors } = await app.graphql(
      `{ dagVersionDiff(dagId: "${name}", from: 1, to: 7) { codeChanged } }`,
      {},
      viewer,
    );
    expect(errors?.[0]?.message).toBe(`DAG "${name}" has no version 7.`);
  });
});
