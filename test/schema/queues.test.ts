import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../helpers/app.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { dagOf, reportOf } from '../helpers/engine.ts';

const database = await createTestDatabase();
let app: TestApp;
let editor: string;
let viewer: string;

beforeAll(async () => {
  app = await startTestApp(database);
  editor = await app.token('editor');
  viewer = await app.token('viewer');
});
afterAll(() => app.stop());

const FIELDS =
  'name description paused pausedBy updatedBy figures { depth oldestAt oldestSeconds running consumers slots freeSlots }';
async function mutate(name: string, input: object, fields = FIELDS, token = editor) {
  const type = `${name[0]!.toUpperCase()}${name.slice(1)}`;
  const result = await app.graphql(
    `mutation ($input: ${type}Input!) { ${name}(input: $input) { __typename ... on Error { message } ${name === 'deleteQueue' ? '... on ConflictError { code }' : ''}
      ... on Mutation${type}Success { data { ${fields} } } } }`,
    { input },
    token,
  );
  return result.data?.[name] ?? result.errors;
}
async function listed(args = ''): Promise<string[]> {
  const { data } = await app.graphql(`{ queues${args} { edges { cursor node { name } } } }`, {}, viewer);
  return data.queues.edges.map(({ node }: { node: { name: string } }) => node.name);
}
const queue = async (name: string) =>
  (await app.graphql(`query ($name: String!) { queue(name: $name) { ${FIELDS} } }`, { name }, viewer)).data.queue;
const worker = (name: string, queues: string[], slots: number) =>
  app.engine.registerWorker({ name, queues, slots, version: 't', hostname: null, pid: null });
async function start(dagId: string, tasks: Parameters<typeof dagOf>[1]): Promise<number> {
  const deployed = await app.engine.deploy(dagOf(dagId, tasks));
  const [run] = await app.engine.createRuns([{ dagId: deployed.dagId, kind: 'manual' }]);
  return run!.runId;
}
async function reasonOf(runId: number, taskId: string) {
  const { data } = await app.graphql(
    `query ($runId: ID!) { dagRun(runId: $runId) { taskInstances(first: 50) { edges { node { taskId waitingReason { kind message details } } } } } }`,
    { runId: String(runId) },
    viewer,
  );
  const edges: { node: { taskId: string; waitingReason: object | null } }[] = data.dagRun.taskInstances.edges;
  return edges.find(({ node }) => node.taskId === taskId)?.node.waitingReason;
}

describe('queues', () => {
  it('are there when a task names them, a worker serves them, or somebody makes them; not those of the service', async () => {
    await app.engine.deploy(dagOf('names', { a: { queue: 'b-named' }, b: { queue: '@triggerer' } }));
    await worker('w', ['c-served'], 3);
    await worker('triggerer 1', ['@triggerer'], 200);
    expect(await mutate('setQueue', { name: 'a-made', description: 'for later' })).toMatchObject({
      data: { name: 'a-made', description: 'for later', paused: false, updatedBy: 'token editor' },
    });
    expect(await listed()).toEqual(['a-made', 'b-named', 'c-served']);
    expect(await listed('(first: 1)')).toEqual(['a-made']);
    const { data } = await app.graphql('{ queues(first: 1) { edges { cursor } } }', {}, viewer);
    expect(await listed(`(first: 1, after: "${data.queues.edges[0].cursor}")`)).toEqual(['b-named']);
    expect(await listed('(last: 1)')).toEqual(['c-served']);
    expect(await queue('c-served')).toMatchObject({
      updatedBy: null,
      figures: { consumers: 1, slots: 3, freeSlots: 3 },
    });
    expect(await queue('nobody')).toBeNull();
  });

  it('say how many tasks stand in them, since when, who serves them and what runs', async () => {
    const workerId = await worker('busy', ['counted', 'counted-too'], 3);
    await start('counted', { a: { queue: 'counted' }, b: { queue: 'counted' }, c: { queue: 'counted-too' } });
    await app.engine.claim({ workerId, queues: ['counted', 'counted-too'], limit: 2 });
    await database.pool.query(
      `update task_instance set queued_at = queued_at - interval '1 minute' where state = 'queued'`,
    );
    const figures = [(await queue('counted')).figures, (await queue('counted-too')).figures];
    expect(figures.map(({ depth, running }) => depth + running)).toEqual([2, 1]);
    expect(figures.map(({ depth }) => depth).reduce((a, b) => a + b)).toBe(1);
    for (const { depth, oldestAt, oldestSeconds, ...workers } of figures) {
      expect(workers).toMatchObject({ consumers: 1, slots: 3, freeSlots: 1 });
      if (depth === 0) expect([oldestAt, oldestSeconds]).toEqual([null, null]);
      else expect(oldestSeconds).toBeGreaterThan(59);
    }
  });

  it('are paused and resumed; it is written down who did it, once, and waiting tasks say so', async () => {
    const workerId = await worker('pausable', ['p'], 2);
    const runId = await start('pausable', { a: { queue: 'p' } });
    expect(await mutate('pauseQueue', { name: 'p' })).toMatchObject({
      data: { paused: true, pausedBy: 'token editor' },
    });
    expect(await app.engine.claim({ workerId, queues: ['p'], limit: 2 })).toEqual([]);
    expect(await reasonOf(runId, 'a')).toMatchObject({
      kind: 'QUEUE_PAUSED',
      message: expect.stringMatching(/^Queue "p" is paused by token editor since 20\d\d-.*Z\.$/),
      details: { queue: 'p', by: 'token editor', workers: 1 },
    });
    const admin = await app.token('admin');
    expect(await mutate('pauseQueue', { name: 'p' }, FIELDS, admin)).toMatchObject({
      data: { pausedBy: 'token editor' },
    });
    const woken: string[] = [];
    const off = app.listener.on('millrace_ready', (name) => woken.push(name));
    expect(await mutate('resumeQueue', { name: 'p' })).toMatchObject({ data: { paused: false, pausedBy: null } });
    expect(await reasonOf(runId, 'a')).toMatchObject({ kind: 'STARTING' });
    await expect.poll(() => woken).toContain('p');
    off();
    const [dispatch] = await app.engine.claim({ workerId, queues: ['p'], limit: 2 });
    expect(await reasonOf(runId, 'a')).toBeNull();
    await app.engine.report({ workerId, reports: [reportOf(dispatch!)] });
    const { rows } = await database.pool.query(`select actor, action from audit_event where object = 'p' order by id`);
    expect(rows).toEqual([
      { actor: 'token editor', action: 'pause_queue' },
      { actor: 'token editor', action: 'resume_queue' },
    ]);
  });

  it('that nobody serves, or whose slots are all taken, are told as what a task waits for, while it is so', async () => {
    const runId = await start('unserved', { a: { queue: 'u' }, b: { queue: 'u' }, c: { queue: 'u' } });
    expect(await reasonOf(runId, 'a')).toMatchObject({ kind: 'NO_WORKER', message: 'No worker serves queue "u".' });
    const workerId = await worker('u', ['u'], 2);
    expect(await reasonOf(runId, 'c')).toMatchObject({ kind: 'STARTING' });
    const dispatches = await app.engine.claim({ workerId, queues: ['u'], limit: 2 });
    expect(await reasonOf(runId, 'c')).toMatchObject({
      kind: 'WORKERS_BUSY',
      message: 'All 2 slots of the 1 worker of queue "u" are taken.',
      details: { queue: 'u', workers: 1, slots: 2, running: 2 },
    });
    await app.engine.report({ workerId, reports: [reportOf(dispatches[0]!)] });
    expect(await reasonOf(runId, 'c')).toMatchObject({ kind: 'STARTING' });
  });

  it('are deleted only when nothing needs them', async () => {
    await mutate('setQueue', { name: 'spare' });
    await mutate('pauseQueue', { name: 'spare' });
    expect(await mutate('deleteQueue', { name: 'spare' }, 'deletedName')).toMatchObject({
      data: { deletedName: 'spare' },
    });
    expect(await queue('spare')).toBeNull();
    await start('needs', { a: { queue: 'ready' } });
    await app.engine.deploy(dagOf('names_it', { a: { queue: 'named' } }));
    await worker('serves', ['served'], 1);
    const refused = { __typename: 'ConflictError', code: 'QUEUE_IN_USE' };
    expect(await mutate('deleteQueue', { name: 'ready' }, 'deletedName')).toMatchObject({
      ...refused,
      message: 'Queue "ready" is in use: tasks stand in it. It would be there again at once.',
    });
    expect(await mutate('deleteQueue', { name: 'named' }, 'deletedName')).toMatchObject(refused);
    expect(await mutate('deleteQueue', { name: 'served' }, 'deletedName')).toMatchObject(refused);
  });

  it('that nobody knows, that cannot be named, and people who may not are refused', async () => {
    expect(await mutate('pauseQueue', { name: 'nowhere' })).toMatchObject({
      __typename: 'NotFoundError',
      message: 'There is no queue "nowhere": no task names it and no worker serves it.',
    });
    expect(await mutate('resumeQueue', { name: 'nowhere' })).toMatchObject({ __typename: 'NotFoundError' });
    expect(await mutate('deleteQueue', { name: 'nowhere' }, 'deletedName')).toMatchObject({
      __typename: 'NotFoundError',
    });
    expect(await mutate('setQueue', { name: '@triggerer' })).toMatchObject({ __typename: 'ValidationError' });
    expect(await mutate('pauseQueue', { name: 'c-served' }, FIELDS, viewer)).toMatchObject([
      { extensions: { code: 'FORBIDDEN' } },
    ]);
  });
});
