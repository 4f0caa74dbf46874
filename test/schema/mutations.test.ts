import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findAdminVersions } from '#db/queries/author-role.ts';
import { packBundle } from '#server/bundles/pack-bundle.ts';
import { startTestApp, type TestApp } from '../helpers/app.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { dagOf, reportOf } from '../helpers/engine.ts';
import { waitFor } from '../helpers/wait-for.ts';

const database = await createTestDatabase();
let app: TestApp;
let editor: string;
let admin: string;

beforeAll(async () => {
  app = await startTestApp(database);
  editor = await app.token('editor');
  admin = await app.token('admin');
});
afterAll(() => app.stop());

/** Runs one mutation that has an input and returns its result member. */
async function mutate(
  name: string,
  input: object,
  fields: string,
  token = editor,
): Promise<{ [field: string]: unknown }> {
  const type = `${name[0]?.toUpperCase()}${name.slice(1)}Input`;
  const result = await app.graphql(
    `mutation M($input: ${type}!) { ${name}(input: $input) { __typename ... on Error { message }
      ... on ValidationError { issues { path message } }
      ... on Mutation${name[0]?.toUpperCase()}${name.slice(1)}Success { data { ${fields} } } } }`,
    { input },
    token,
  );
  if (result.errors) throw new Error(JSON.stringify(result.errors));
  return result.data[name];
}

describe('triggerDagRun', () => {
  beforeAll(async () => {
    const params = {
      type: 'object',
      properties: { region: { enum: ['eu', 'us'], default: 'eu' }, size: { type: 'integer', minimum: 1 } },
      required: ['size'],
      additionalProperties: false,
    };
    await app.engine.deploy(dagOf('with_params', { a: [] }, { params }));
    await app.engine.deploy(dagOf('plain', { a: [] }));
  });

  it('says every mistake of the conf with its place', async () => {
    const result = await mutate('triggerDagRun', { dagId: 'with_params', conf: { region: 'mars', extra: 1 } }, 'id');
    expect(result['__typename']).toBe('ValidationError');
    const paths = (result['issues'] as { path: string[] }[]).map((issue) => issue.path.join('.')).sort();
    expect(paths).toEqual(['input.conf.extra', 'input.conf.region', 'input.conf.size']);
  });

  it('keeps the conf as it was given', async () => {
    const result = await mutate('triggerDagRun', { dagId: 'with_params', conf: { size: 3 } }, 'conf triggeredBy');
    expect(result).toMatchObject({ data: { conf: { size: 3 }, triggeredBy: 'token editor' } });
  });

  it('takes an object only, of at most 64 KiB', async () => {
    for (const conf of [[1], 'text', { big: 'x'.repeat(70_000) }])
      expect((await mutate('triggerDagRun', { dagId: 'plain', conf }, 'id'))['__typename']).toBe('ValidationError');
  });

  it('refuses a key that cannot be stored, and what lies too deep', async () => {
    const result = await mutate('triggerDagRun', { dagId: 'plain', idempotencyKey: 'a\0' }, 'id');
    expect(result).toMatchObject({ __typename: 'ValidationError', issues: [{ path: ['input', 'idempotencyKey'] }] });
    const nested = (levels: number) => JSON.parse('['.repeat(levels) + ']'.repeat(levels)) as unknown;
    const fits = await mutate('triggerDagRun', { dagId: 'plain', conf: { d: nested(500) } }, 'id');
    expect(fits['__typename']).toBe('MutationTriggerDagRunSuccess');
    await expect(mutate('triggerDagRun', { dagId: 'plain', conf: { d: nested(3_000) } }, 'id')).rejects.toThrow(
      /more than 1000 levels/,
    );
  });

  it('gives the same run for the same key', async () => {
    const input = { dagId: 'plain', idempotencyKey: 'once' };
    const [first, second] = [
      await mutate('triggerDagRun', input, 'runId'),
      await mutate('triggerDagRun', input, 'runId'),
    ];
    expect(second).toEqual(first);
  });

  it('knows no such DAG', async () => {
    const result = await mutate('triggerDagRun', { dagId: 'nope' }, 'id');
    expect(result).toEqual({ __typename: 'NotFoundError', message: 'There is no DAG "nope".' });
  });

  it('refuses a malformed input by field', async () => {
    const result = await mutate('triggerDagRun', { dagId: 'plain', idempotencyKey: '' }, 'id');
    expect(result).toMatchObject({ __typename: 'ValidationError', issues: [{ path: ['input', 'idempotencyKey'] }] });
  });
});

describe('deployDag', () => {
  it('lists the mistakes of a spec', async () => {
    const spec = {
      dagId: 'bad',
      tasks: [
        { taskId: 'a', kind: 'bash', command: 'true', upstream: ['ghost'] },
        { taskId: 'a', kind: 'nothing' },
      ],
    };
    const result = await mutate('deployDag', { spec }, 'created');
    expect(result['__typename']).toBe('ValidationError');
    const issues = result['issues'] as { path: string[] }[];
    expect(issues.length).toBeGreaterThan(1);
    expect(issues.map((issue) => issue.path.join('.'))).toContain('input.spec.tasks.0.upstream.0');
  });

  it('makes a version once per content, and names a bundle by what is in it', async () => {
    const { hash, archive } = await packBundle([
      { path: 'dag.mjs', content: Buffer.from('export default 1'), executable: false },
    ]);
    const spec = { dagId: 'bundled', tasks: [{ taskId: 'a', kind: 'bash', command: 'true' }] };
    const input = { spec, bundle: archive.toString('base64') };
    const fields = 'created dag { dagId } version { number hash bundleHash createdBy }';
    const first = await mutate('deployDag', input, fields);
    expect(first).toMatchObject({
      data: { created: true, version: { number: 1, bundleHash: hash, createdBy: 'token editor' } },
    });
    expect(await mutate('deployDag', input, fields)).toMatchObject({
      data: { created: false, version: { number: 1 } },
    });
    const garbage = await mutate('deployDag', { spec, bundle: 'bm90IGEgYnVuZGxl' }, fields);
    expect(garbage).toMatchObject({ __typename: 'ValidationError', issues: [{ path: ['input', 'bundle'] }] });
  });

  it('remembers what it came from, until it comes from elsewhere', async () => {
    const spec = { dagId: 'kept', tasks: [{ taskId: 'a', kind: 'bash', command: 'true' }] };
    const fields = 'created dag { source path }';
    const origin = { source: 'ci:example.org/dags', path: 'kept.ts' };
    expect(await mutate('deployDag', { spec, ...origin }, fields)).toMatchObject({
      data: { created: true, dag: origin },
    });
    expect(await mutate('deployDag', { spec }, fields)).toMatchObject({
      data: { created: false, dag: { source: null, path: null } },
    });
    for (const source of ['', 'git:dags'])
      expect(await mutate('deployDag', { spec, source }, fields)).toMatchObject({ __typename: 'ValidationError' });
  });
});

describe('who stands for a version', () => {
  const spec = { dagId: 'approved', tasks: [{ taskId: 'a', kind: 'bash', command: 'true' }] };
  const byAdmin = async () => {
    const { rows } = await database.pool.query<{ id: number }>(
      `select v.id from dag_version v join dag d on d.id = v.dag_id where d.name = 'approved' order by v.number`,
    );
    const ids = rows.map(({ id }) => id);
    const found = await findAdminVersions(database.db, ids);
    return ids.map((id) => found.has(id));
  };

  it('is an author, until an administrator deploys the very same', async () => {
    await mutate('deployDag', { spec }, 'created');
    expect(await byAdmin()).toEqual([false]);
    expect(await mutate('deployDag', { spec }, 'created', admin)).toMatchObject({ data: { created: false } });
    expect(await byAdmin()).toEqual([true]);
    await mutate('deployDag', { spec }, 'created');
    expect(await byAdmin()).toEqual([true]);
    await mutate('deployDag', { spec: { ...spec, description: 'another' } }, 'created');
    expect(await byAdmin()).toEqual([true, false]);
  });
});

describe('what a person does to a run', () => {
  it('cancel, and the second time it has finished', async () => {
    await app.engine.deploy(dagOf('cancelled', { a: [] }));
    const run = (await mutate('triggerDagRun', { dagId: 'cancelled' }, 'id'))['data'] as { id: string };
    expect(await mutate('cancelDagRun', { runId: run.id }, 'state')).toMatchObject({ data: { state: 'CANCELLED' } });
    expect(await mutate('cancelDagRun', { runId: run.id }, 'state')).toMatchObject({ __typename: 'ConflictError' });
    expect(await mutate('cancelDagRun', { runId: '17' }, 'state')).toMatchObject({ __typename: 'NotFoundError' });
  });

  it('clear: first a dry run, then for real', async () => {
    await app.engine.deploy(dagOf('cleared', { a: [], b: ['a'] }));
    const worker = await app.engine.worker();
    const { runId } = (await mutate('triggerDagRun', { dagId: 'cleared' }, 'runId'))['data'] as { runId: string };
    const [a] = await app.engine
      .claim({ workerId: worker, queues: ['default'], limit: 1_000 })
      .then((all) => all.filter((one) => one.run.runId === runId));
    if (!a) throw new Error('task a was not claimed');
    await app.engine.report({ workerId: worker, reports: [reportOf(a, 'failed')] });
    const fields = 'dryRun taskInstances { taskId state } dagRun { state }';
    const input = { runId, taskIds: ['a'], downstream: true };
    const dry = await mutate('clearTasks', { ...input, dryRun: true }, fields);
    expect(dry).toMatchObject({
      data: {
        dryRun: true,
        dagRun: { state: 'FAILED' },
        taskInstances: [
          { taskId: 'a', state: 'FAILED' },
          { taskId: 'b', state: 'UPSTREAM_FAILED' },
        ],
      },
    });
    const done = await mutate('clearTasks', input, fields);
    expect(done).toMatchObject({
      data: {
        dryRun: false,
        dagRun: { state: 'RUNNING' },
        taskInstances: [
          { taskId: 'a', state: 'QUEUED' },
          { taskId: 'b', state: 'NONE' },
        ],
      },
    });
    const marked = await mutate('markTasks', { runId, taskIds: ['a', 'b'], state: 'SUCCESS' }, fields);
    expect(marked).toMatchObject({ data: { dagRun: { state: 'SUCCESS' } } });
    const unknown = await mutate('clearTasks', { runId, taskIds: ['a', 'zz'] }, fields);
    expect(unknown).toMatchObject({ __typename: 'ValidationError', issues: [{ path: ['input', 'taskIds', '1'] }] });
  });

  it('pause, and delete only what does not run', async () => {
    await app.engine.deploy(dagOf('doomed', { a: [] }));
    expect(await mutate('setDagPaused', { dagId: 'doomed', paused: true }, 'paused')).toMatchObject({
      data: { paused: true },
    });
    const { runId } = (await mutate('triggerDagRun', { dagId: 'doomed' }, 'runId state'))['data'] as { runId: string };
    expect(await mutate('deleteDag', { dagId: 'doomed' }, 'deletedDagId', admin)).toMatchObject({
      __typename: 'ConflictError',
    });
    await mutate('cancelDagRun', { runId }, 'id');
    expect(await mutate('deleteDag', { dagId: 'doomed' }, 'deletedDagId', admin)).toMatchObject({
      data: { deletedDagId: 'doomed' },
    });
    expect(await mutate('deleteDag', { dagId: 'doomed' }, 'deletedDagId', admin)).toMatchObject({
      __typename: 'NotFoundError',
    });
  });
});

describe('API tokens', () => {
  it('are shown once, hold the role, and end when revoked', async () => {
    const input = { name: 'ci', role: 'VIEWER', expiresInDays: 30 };
    const made = (await mutate('createApiToken', input, 'token role apiToken { id }', admin))['data'] as {
      token: string;
      apiToken: { id: string };
    };
    expect(made.token).toMatch(/^mr_\d+_[0-9A-Za-z]{43}$/);
    expect((await app.graphql('{ viewer { name role } }', {}, made.token)).data).toEqual({
      viewer: { name: 'token ci', role: 'VIEWER' },
    });
    const { rows } = await database.pool.query('select * from api_token where name = $1', ['ci']);
    expect(JSON.stringify(rows)).not.toContain(made.token.split('_')[2]);
    await mutate('revokeApiToken', { id: made.apiToken.id }, 'revokedAt', admin);
    const use = () => app.post({ query: '{ viewer { name } }' }, { authorization: `Bearer ${made.token}` });
    await waitFor(async () => (await use()).status === 401, { what: 'the token to end', timeoutMs: 1_000 });
    expect(await mutate('createApiToken', { ...input, role: 'RUNNER' }, 'token', admin)).toMatchObject({
      __typename: 'ValidationError',
    });
    expect(await mutate('createApiToken', { ...input, expiresInDays: 0 }, 'token', admin)).toMatchObject({
      __typename: 'ValidationError',
    });
  });
});
