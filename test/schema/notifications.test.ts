import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../helpers/app.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { dagOf, work } from '../helpers/engine.ts';
import { addConnection, startTestNotifications, told } from '../helpers/notifications.ts';
import { startHttpReceiver } from '../helpers/receivers.ts';
import { waitFor } from '../helpers/wait-for.ts';

const database = await createTestDatabase();
let app: TestApp;
let editor: string;
let viewer: string;
let notifications: Awaited<ReturnType<typeof startTestNotifications>>;
const hook = await startHttpReceiver((n) => (n === 1 ? 404 : 200));
beforeAll(async () => {
  app = await startTestApp(database);
  [editor, viewer] = await Promise.all([app.token('editor'), app.token('viewer')]);
  notifications = await startTestNotifications(database, app.engine);
  await addConnection(database, 'hook', { host: hook.url });
});
afterAll(async () => {
  await notifications.stop();
  await app.stop();
  await hook.stop();
});

const FIELDS =
  'id event state rule connectionId destination taskIndex tryNumber attempts lastError nextAttemptAt run { runId }';
async function list(args: string) {
  const query = `{ notifications(${args}) { edges { node { ${FIELDS} } } pageInfo { hasNextPage endCursor } } }`;
  const { data, errors } = await app.graphql(query, {}, viewer);
  expect(errors).toBeUndefined();
  const { edges, pageInfo } = data.notifications;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- looked into as it is
  return { nodes: edges.map((edge: any) => edge.node), pageInfo };
}
const retry = (id: string, token = editor) =>
  app.graphql(
    `mutation($id: ID!) { retryNotification(input: { id: $id }) { __typename ... on MutationRetryNotificationSuccess { data { id state } }
       ... on Error { message } } }`,
    { id },
    token,
  );
const test = (connectionId: string, token = editor) =>
  app.graphql(
    `mutation($c: String!) { testNotification(input: { connectionId: $c }) { __typename ... on MutationTestNotificationSuccess { data { id state event } }
       ... on Error { message } } }`,
    { c: connectionId },
    token,
  );

describe('notifications in the API', () => {
  it('lists what was told, by state, DAG and run, in pages; one that was given up can be sent again', async () => {
    const target = { connection: 'hook', recipients: [] };
    const rule = { on: ['success' as const], tasks: [], to: [target], subject: null, body: null, slowAfter: null };
    const { dagId } = await app.engine.deploy(dagOf('told', { a: [] }, { notify: [rule] }));
    const [first, second] = await app.engine.createRuns([
      { dagId, kind: 'manual' },
      { dagId, kind: 'manual', runKey: 'second' },
    ]);
    await work(app.engine, await app.engine.worker());
    await notifications.caughtUp();
    await Promise.all([told(database, first!.runId), told(database, second!.runId)]);
    const dead = await list('state: DEAD');
    expect(dead.nodes).toEqual([
      {
        id: expect.any(String),
        ...{
          event: 'success',
          state: 'DEAD',
          rule: 'notify[0]',
          connectionId: 'hook',
          destination: target,
          taskIndex: null,
        },
        ...{ tryNumber: 0, attempts: 1, lastError: 'It answered 404: said 404', nextAttemptAt: null },
        run: { runId: expect.any(String) },
      },
    ]);
    const page = await list(`first: 1, dagId: "told"`);
    expect(page.pageInfo.hasNextPage).toBe(true);
    const next = await list(`first: 1, dagId: "told", after: "${page.pageInfo.endCursor}"`);
    expect(next.nodes[0].id).not.toBe(page.nodes[0].id);
    expect((await list(`dagId: "nobody"`)).nodes).toEqual([]);
    expect((await list(`runId: "${first!.runId}"`)).nodes).toHaveLength(1);

    const { id } = dead.nodes[0];
    expect((await retry(id)).data.retryNotification).toEqual({
      __typename: 'MutationRetryNotificationSuccess',
      data: { id, state: 'PENDING' },
    });
    await waitFor(async () => (await list('state: SENT')).nodes.length === 2, {
      what: 'it to arrive',
    });
    expect((await retry(id)).data.retryNotification.message).toContain('has not been given up');
    expect((await retry('99999')).data.retryNotification.message).toContain('99999');
    const { rows } = await database.pool.query(
      `select actor, object from audit_event where action = 'retry_notification'`,
    );
    expect(rows).toEqual([{ actor: 'token editor', object: expect.stringMatching(/^\d+$/) }]);
  });

  it('sends a test over a connection', async () => {
    const before = hook.received.length;
    expect((await test('hook')).data.testNotification.data).toMatchObject({ event: 'test', state: 'PENDING' });
    await waitFor(() => hook.received.length > before, { what: 'the test to arrive' });
    expect(JSON.parse(hook.received.at(-1)!.body)).toMatchObject({
      event: 'test',
      run: null,
      link: 'https://millrace.example.com/',
    });
    expect((await test('nowhere')).data.testNotification.message).toContain('nowhere');
  });

  it('sends no test over a connection that no message goes over', async () => {
    await addConnection(database, 'mart', { kind: 'postgres', host: 'mart.example' });
    const count = async () =>
      (
        await database.pool.query(
          `select (select count(*)::int from notification) as sent, (select count(*)::int from audit_event) as recorded`,
        )
      ).rows;
    const before = await count();
    expect((await test('mart')).data.testNotification).toEqual({
      __typename: 'ValidationError',
      message: `input.connectionId: 'mart' is of kind postgres. Messages go over webhook, slack, smtp.`,
    });
    expect(await count()).toEqual(before);
  });

  it('is for those who may edit; all may look', async () => {
    expect((await retry('1', viewer)).errors).toHaveLength(1);
    expect((await test('hook', viewer)).errors).toHaveLength(1);
    expect((await app.graphql('{ notifications { edges { node { id } } } }')).errors).toHaveLength(1);
  });

  it('shows the deadlines of a run', async () => {
    const deadline = { after: 'queued' as const, within: 60, at: null, runs: 10, minRuns: 3, notify: [] };
    const { dagId } = await app.engine.deploy(dagOf('due', { a: [] }, { deadline: [deadline] }));
    const [run] = await app.engine.createRuns([{ dagId, kind: 'manual' }]);
    await notifications.caughtUp();
    const query = `{ dagRun(runId: "${run!.runId}") { createdAt deadlines { rule dueAt state settledAt } } }`;
    const { data } = await app.graphql(query, {}, viewer);
    const due = new Date(Date.parse(data.dagRun.createdAt) + 60_000).toISOString();
    expect(data.dagRun.deadlines).toEqual([{ rule: 'deadline[0]', dueAt: due, state: 'PENDING', settledAt: null }]);
    await app.engine.cancelRun(run!.runId, 'test');
  });
});
