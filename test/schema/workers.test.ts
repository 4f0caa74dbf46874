import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../helpers/app.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { dagOf } from '../helpers/engine.ts';

const database = await createTestDatabase();
let app: TestApp;
let key: string;
let viewer: string;
let admin: string;

beforeAll(async () => {
  app = await startTestApp(database);
  [key, viewer, admin] = [await app.token('worker'), await app.token('viewer'), await app.token('admin')];
});
afterAll(() => app.stop());

const USAGE = { cpus: 4, cpuUsed: 1.5, load: 2.25, memoryLimit: 8e9, memoryUsed: 5e9, ownCpu: null, ownMemory: 3e8 };

async function register(name: string, input: object = {}): Promise<string> {
  const { data, errors } = await app.graphql(
    'mutation ($input: RegisterWorkerInput!) { registerWorker(input: $input) { workerId } }',
    { input: { name, queues: ['default'], slots: 4, version: '1', ...input } },
    key,
  );
  if (errors) throw new Error(errors[0]?.message);
  return data.registerWorker.workerId;
}
async function beat(workerId: string, input: object = {}) {
  const { data, errors } = await app.graphql(
    'mutation ($input: HeartbeatInput!) { heartbeat(input: $input) { registered drain } }',
    { input: { workerId, dispatchIds: [], ...input } },
    key,
  );
  return data?.heartbeat ?? errors;
}
async function workers(filter: object | null, fields = 'name'): Promise<object[]> {
  const { data, errors } = await app.graphql(
    `query ($filter: WorkersFilter) { workers(filter: $filter) { edges { node { ${fields} } } } }`,
    { filter },
    viewer,
  );
  if (errors) throw new Error(errors[0]?.message);
  return data.workers.edges.map(({ node }: { node: object }) => node);
}
async function change(mutation: 'drainWorker' | 'resumeWorker', input: object, token = admin) {
  const type = `${mutation[0]!.toUpperCase()}${mutation.slice(1)}`;
  const { data, errors } = await app.graphql(
    `mutation ($input: ${type}Input!) { ${mutation}(input: $input) { __typename ... on Error { message }
      ... on Mutation${type}Success { data { name state drain } } } }`,
    { input },
    token,
  );
  return data?.[mutation] ?? errors?.[0];
}

describe('workers', () => {
  it('are seen with their labels, what they measured and how much they have done', async () => {
    const labels = [
      { name: 'zone', value: 'a' },
      { name: 'gpu', value: 'a100' },
    ];
    const workerId = await register('seen', { labels });
    const FIELDS = `state drain labels { name value } finished usage { ${Object.keys(USAGE).join(' ')} }`;
    const fresh = { state: 'ONLINE', drain: null, labels: [labels[1], labels[0]], finished: 0, usage: null };
    expect(await workers({ name: 'seen' }, FIELDS)).toEqual([fresh]);
    expect(await beat(workerId, { usage: USAGE, finished: 12 })).toEqual({ registered: true, drain: null });
    expect(await workers({ name: 'seen' }, FIELDS)).toEqual([{ ...fresh, finished: 12, usage: USAGE }]);
    // A worker that measures nothing leaves it as it was
    await beat(workerId);
    expect(await workers({ name: 'seen' }, FIELDS)).toEqual([{ ...fresh, finished: 12, usage: USAGE }]);
  });

  it('cannot have labels that are no labels', async () => {
    const label = (name: string, value: string) => register('odd', { labels: [{ name, value }] });
    await expect(label('two words', 'a')).rejects.toThrow('labels: "two words" is no name');
    await expect(label('zone', 'x'.repeat(251))).rejects.toThrow('labels: the value of zone has more than 250');
  });

  it('that have gone, or belong to the service, are left out; queues and states choose', async () => {
    await register('both', { queues: ['default', 'gpu'] });
    const gone = await register('gone', { queues: ['gpu'] });
    await database.pool.query(`update worker set state = 'offline' where id = $1`, [gone]);
    const own = { slots: 5, version: '1', hostname: null, pid: null };
    await app.engine.registerWorker({ ...own, name: 'launcher', queues: ['gpu'], slots: 0 });
    await app.engine.registerWorker({ ...own, name: 'triggerer', queues: ['@triggerer'] });
    expect(await workers({ queue: 'gpu' })).toEqual([{ name: 'both' }]);
    expect(await workers({ queue: 'gpu', states: ['ONLINE', 'OFFLINE'] })).toEqual([
      { name: 'gone' },
      { name: 'both' },
    ]);
    expect((await workers(null)).map((row) => (row as { name: string }).name)).not.toContain('triggerer');
    expect(await change('drainWorker', { name: 'triggerer' })).toMatchObject({ __typename: 'NotFoundError' });
  });

  it('show what they run, in pages', async () => {
    const workerId = await register('busy');
    const { dagId } = await app.engine.deploy(dagOf('running', { a: [], b: [], c: [] }));
    await app.engine.createRuns([{ dagId, kind: 'manual' }]);
    const claimed = await app.engine.claim({ workerId: Number(workerId), queues: ['default'], limit: 3 });
    expect(claimed).toHaveLength(3);
    const page = async (after: string | null) => {
      const { data } = await app.graphql(
        `query ($after: String) { worker(name: "busy") { running tasks(first: 2, after: $after) {
          pageInfo { hasNextPage endCursor } edges { node { taskId tryNumber startedAt dagRun { dag { dagId } } } } } } }`,
        { after },
        viewer,
      );
      return data.worker;
    };
    const task = (taskId: string) => ({
      node: { taskId, tryNumber: 1, startedAt: expect.any(String), dagRun: { dag: { dagId: 'running' } } },
    });
    const first = await page(null);
    expect(first).toMatchObject({
      running: 3,
      tasks: { edges: [task('a'), task('b')], pageInfo: { hasNextPage: true } },
    });
    const second = await page(first.tasks.pageInfo.endCursor);
    expect(second.tasks).toMatchObject({ edges: [task('c')], pageInfo: { hasNextPage: false } });
  });
});

describe('draining', () => {
  it('is told to the worker with its beats, can be made harder, and be undone', async () => {
    const workerId = await register('drained');
    expect(await change('drainWorker', { name: 'drained' })).toMatchObject({
      data: { name: 'drained', state: 'DRAINING', drain: 'FINISH' },
    });
    expect(await beat(workerId)).toEqual({ registered: true, drain: 'FINISH' });
    await change('drainWorker', { name: 'drained', mode: 'HAND_BACK' });
    expect(await beat(workerId)).toEqual({ registered: true, drain: 'HAND_BACK' });
    expect(await change('resumeWorker', { name: 'drained' })).toMatchObject({ data: { state: 'ONLINE', drain: null } });
    expect(await beat(workerId)).toEqual({ registered: true, drain: null });
    const { rows } = await database.pool.query(
      `select actor, action, detail from audit_event where object = 'drained' order by id`,
    );
    expect(rows).toEqual([
      { actor: 'token admin', action: 'drain_worker', detail: { mode: 'finish' } },
      { actor: 'token admin', action: 'drain_worker', detail: { mode: 'hand_back' } },
      { actor: 'token admin', action: 'resume_worker', detail: null },
    ]);
  });

  it('wakes the worker at once, and whoever watches the workers', async () => {
    const workerId = Number(await register('woken'));
    const told: string[] = [];
    const off = app.listener.on('millrace_worker', (id) => told.push(id));
    await change('drainWorker', { name: 'woken' });
    await expect.poll(() => told).toContain(String(workerId));
    off();
  });

  it('is for admins, and of workers that are there', async () => {
    await register('kept');
    for (const token of [viewer, key, await app.token('editor')])
      expect(await change('drainWorker', { name: 'kept' }, token)).toMatchObject({ extensions: { code: 'FORBIDDEN' } });
    expect(await change('drainWorker', { name: 'nobody' })).toEqual({
      __typename: 'NotFoundError',
      message: 'There is no worker "nobody" that has not gone.',
    });
  });
});
