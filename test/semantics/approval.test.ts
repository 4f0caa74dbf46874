/** What a person's decision, or its absence, does to a run. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { checkRuns } from '../helpers/check-runs.ts';
import { startTestApp, type TestApp } from '../helpers/app.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { runStateOf, statesOf } from '../helpers/engine.ts';
import { endOf, reach, resultsOf, specOf, startWaiting } from '../helpers/waiting.ts';

const database = await createTestDatabase();
let app: TestApp;
let waiting: Awaited<ReturnType<typeof startWaiting>>;
let editor: string;
let dags = 0;

beforeAll(async () => {
  app = await startTestApp(database);
  waiting = await startWaiting(database, app.engine, app.listener);
  editor = await app.token('editor');
});
afterEach(async () => {
  await checkRuns(database);
  expect([...waiting.errors, ...app.engine.errors]).toEqual([]);
});
afterAll(async () => {
  await waiting.stop();
  await app.stop();
});

async function run(approval: object, more: Record<string, object> = {}) {
  const tasks = { ask: { kind: 'approval', subject: 'Ship it?', ...approval }, ship: { upstream: ['ask'] }, ...more };
  const { dagId } = await app.engine.deploy(specOf(`dag_${++dags}`, tasks));
  const [created] = await app.engine.createRuns([{ dagId, kind: 'manual', conf: { version: '1.2' } }]);
  await reach(database, created!.runId, { ...(await statesOf(database, created!.runId)), ask: 'deferred' });
  return created!.runId;
}

async function decide(runId: number, decision: string, more: object = {}, token = editor) {
  const { data, errors } = await app.graphql(
    `mutation D($input: DecideApprovalInput!) { decideApproval(input: $input) { __typename
      ... on Error { message } ... on ConflictError { code } ... on ValidationError { issues { path message } }
      ... on MutationDecideApprovalSuccess { data { state taskId } } } }`,
    { input: { taskInstanceId: `${runId}.0.-1`, decision, ...more } },
    token,
  );
  if (errors) throw new Error(JSON.stringify(errors));
  return data.decideApproval;
}

const FORM = {
  type: 'object',
  properties: { stars: { type: 'integer', minimum: 1, maximum: 5 }, why: { type: 'string', default: 'no reason' } },
  required: ['stars'],
  additionalProperties: false,
};

describe('an approval', () => {
  it('lets the run go on when a person approves, and says who it was', async () => {
    const runId = await run({});
    expect(await decide(runId, 'approve', { note: 'looks good' })).toMatchObject({
      data: { state: 'SUCCESS', taskId: 'ask' },
    });
    await reach(database, runId, { ask: 'success', ship: 'success' });
    expect(await resultsOf(database, runId, 'ask')).toEqual({
      return_value: { decision: 'approve', by: 'token editor', form: {}, note: 'looks good' },
    });
    expect(await runStateOf(database, runId)).toBe('success');
  });

  it('fails at a rejection, without a retry', async () => {
    const runId = await run({ retries: 5 });
    await decide(runId, 'reject', { note: 'not today' });
    await reach(database, runId, { ask: 'failed', ship: 'upstream_failed' });
    expect(await endOf(database, runId, 'ask')).toMatchObject({
      cause: 'rejected',
      try_number: 1,
      message: /not today/,
    });
  });

  it('skips what comes after it at a rejection that is no failure', async () => {
    const runId = await run({ onReject: 'skip' }, { report: { upstream: ['ship'], triggerRule: 'all_done' } });
    await decide(runId, 'reject');
    await reach(database, runId, { ask: 'skipped', ship: 'skipped', report: 'success' });
    expect(await runStateOf(database, runId)).toBe('success');
  });

  it('offers other options than yes and no', async () => {
    const runId = await run({ options: ['blue', 'green', 'neither'], rejections: ['neither'] });
    expect(await decide(runId, 'red')).toMatchObject({
      __typename: 'ValidationError',
      issues: [{ path: ['input', 'decision'] }],
    });
    expect(await statesOf(database, runId)).toEqual({ ask: 'deferred', ship: 'none' });
    await decide(runId, 'green');
    await reach(database, runId, { ask: 'success', ship: 'success' });
  });

  it('wants its form filled in as its schema says, and fills in the defaults', async () => {
    const runId = await run({ form: FORM });
    expect(await decide(runId, 'approve', { form: { stars: 9 } })).toMatchObject({
      __typename: 'ValidationError',
      issues: [{ path: ['input', 'form', 'stars'] }],
    });
    expect(await decide(runId, 'approve')).toMatchObject({ __typename: 'ValidationError' });
    await decide(runId, 'approve', { form: { stars: 4 } });
    await reach(database, runId, { ask: 'success', ship: 'success' });
    expect(await resultsOf(database, runId, 'ask')).toMatchObject({
      return_value: { form: { stars: 4, why: 'no reason' } },
    });
  });

  it('takes no note and no form that cannot be stored, and waits on', async () => {
    const runId = await run({ form: { type: 'object' } });
    expect(await decide(runId, 'approve', { note: 'a\0b' })).toMatchObject({
      __typename: 'ValidationError',
      issues: [{ path: ['input', 'note'], message: 'A NUL character cannot be stored.' }],
    });
    for (const option of ['approve', 'reject'])
      expect(await decide(runId, option, { form: { why: 'x\ud83d' } })).toMatchObject({
        __typename: 'ValidationError',
        issues: [{ path: ['input', 'form', 'why'], message: expect.stringContaining('Half of a character') }],
      });
    expect(await statesOf(database, runId)).toEqual({ ask: 'deferred', ship: 'none' });
    await decide(runId, 'approve', { note: '\\u0000', form: { why: '\\u0000' } });
    await reach(database, runId, { ask: 'success', ship: 'success' });
  });

  it('needs no form for a rejection', async () => {
    const runId = await run({ form: FORM });
    await decide(runId, 'reject');
    await reach(database, runId, { ask: 'failed', ship: 'upstream_failed' });
  });

  it('takes its default when nobody decides in time', async () => {
    const runId = await run({ timeout: 0.5, default: 'approve' });
    await reach(database, runId, { ask: 'success', ship: 'success' });
    expect(await resultsOf(database, runId, 'ask')).toMatchObject({ return_value: { decision: 'approve', by: null } });
  });

  it('takes a rejection for its default too', async () => {
    const runId = await run({ timeout: 0.5, default: 'reject', onReject: 'skip' });
    await reach(database, runId, { ask: 'skipped', ship: 'skipped' });
  });

  it('fails without a default when nobody decides in time', async () => {
    const runId = await run({ timeout: 0.5 });
    await reach(database, runId, { ask: 'failed', ship: 'upstream_failed' });
    expect(await endOf(database, runId, 'ask')).toMatchObject({ cause: 'wait_timeout' });
  });

  it('counts the first decision only', async () => {
    const runId = await run({});
    const answers = await Promise.all([decide(runId, 'approve'), decide(runId, 'reject')]);
    expect(answers.map((answer) => answer.__typename).sort()).toEqual([
      'ConflictError',
      'MutationDecideApprovalSuccess',
    ]);
  });

  it('hears the same decision twice without a complaint', async () => {
    const runId = await run({});
    await decide(runId, 'approve');
    expect(await decide(runId, 'approve')).toMatchObject({ __typename: 'MutationDecideApprovalSuccess' });
    expect(await decide(runId, 'reject')).toMatchObject({
      code: 'NOT_WAITING',
      message: /token editor chose 'approve'/,
    });
  });

  it('is decided by those only who are named', async () => {
    const runId = await run({ roles: 'admin' });
    expect(await decide(runId, 'approve')).toMatchObject({ code: 'NOT_YOURS' });
    expect(await decide(runId, 'approve', {}, await app.token('admin'))).toMatchObject({ data: { state: 'SUCCESS' } });
    const named = await run({ users: ['token editor'] });
    expect(await decide(named, 'approve', {}, await app.token('admin'))).toMatchObject({ code: 'NOT_YOURS' });
    expect(await decide(named, 'approve')).toMatchObject({ data: { state: 'SUCCESS' } });
  });

  it('is not for viewers', async () => {
    const runId = await run({});
    await expect(decide(runId, 'approve', {}, await app.token('viewer'))).rejects.toThrow();
    expect(await statesOf(database, runId)).toMatchObject({ ask: 'deferred' });
    await decide(runId, 'approve');
  });

  it('is over when its run is cancelled', async () => {
    const runId = await run({});
    await app.engine.cancelRun(runId, 'anna');
    expect(await decide(runId, 'approve')).toMatchObject({ code: 'NOT_WAITING' });
    expect(await statesOf(database, runId)).toEqual({ ask: 'cancelled', ship: 'cancelled' });
  });

  it('asks again when it is cleared', async () => {
    const runId = await run({});
    await decide(runId, 'reject');
    await app.engine.editTasks({ runId, action: 'clear', taskIds: ['ask'], downstream: true, actor: 'anna' });
    await reach(database, runId, { ask: 'deferred', ship: 'none' });
    await decide(runId, 'approve');
    await reach(database, runId, { ask: 'success', ship: 'success' });
  });

  it('leaves an entry in the audit trail', async () => {
    const runId = await run({});
    await decide(runId, 'approve', { note: 'yes' });
    const { rows } = await database.pool.query(`select actor, action, detail from audit_event where object = $1`, [
      `${runId}.0.-1`,
    ]);
    expect(rows).toEqual([
      { actor: 'token editor', action: 'approval.decide', detail: { decision: 'approve', note: 'yes' } },
    ]);
  });

  it('stands in the list of what waits, with its text rendered, until it is decided', async () => {
    const runId = await run({ subject: 'Ship {{ conf.version }}?', roles: 'admin', timeout: 3600 });
    const list = async (token: string, args: string) => {
      const { data } = await app.graphql(
        `{ approvals${args} { edges { node { subject options canDecide timeoutAt taskInstance { taskId state } } } } }`,
        {},
        token,
      );
      return data.approvals.edges.map(({ node }: { node: object }) => node);
    };
    const expected = {
      subject: 'Ship 1.2?',
      options: ['approve', 'reject'],
      taskInstance: { taskId: 'ask', state: 'DEFERRED' },
    };
    expect(await list(editor, '(first: 10)')).toMatchObject([{ ...expected, canDecide: false }]);
    expect(await list(editor, '(mine: true)')).toEqual([]);
    const admin = await app.token('admin');
    expect(await list(admin, '(mine: true)')).toMatchObject([{ ...expected, canDecide: true }]);
    await decide(runId, 'approve', {}, admin);
    expect(await list(admin, '')).toEqual([]);
  });
});

describe('an approval with branches', () => {
  const ways = { branches: { approve: ['ship'], reject: ['roll_back'] } };
  const below = {
    roll_back: { upstream: ['ask'] },
    tell: { upstream: ['ship', 'roll_back'], triggerRule: 'none_failed' },
  };
  const ends = (ship: string, rollBack: string) => ({ ask: 'success', ship, roll_back: rollBack, tell: 'success' });

  it('goes on with what the decision names, and skips the others', async () => {
    const runId = await run(ways, below);
    await decide(runId, 'approve');
    await reach(database, runId, ends('success', 'skipped'));
  });

  it('takes a rejection as a way of its own', async () => {
    const runId = await run(ways, below);
    await decide(runId, 'reject');
    await reach(database, runId, ends('skipped', 'success'));
  });

  it('goes on with all after an option without a branch', async () => {
    const runId = await run({ options: ['all', 'one'], rejections: [], branches: { one: ['ship'] } }, below);
    await decide(runId, 'all');
    await reach(database, runId, ends('success', 'success'));
  });
});
