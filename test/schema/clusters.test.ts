import { stringify } from 'yaml';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCluster, openCluster, setClusterHealth } from '#db/queries/clusters.ts';
import { CLUSTER_DEFAULTS } from '#sdk/clusters.ts';
import { startTestApp, type GraphqlResult, type TestApp } from '../helpers/app.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { TEST_VAULT } from '../helpers/engine.ts';

const database = await createTestDatabase();
const { db, pool } = database;
let app: TestApp;
const tokens: { [role: string]: string } = {};

beforeAll(async () => {
  app = await startTestApp(database);
  for (const role of ['viewer', 'editor', 'admin', 'worker'] as const) tokens[role] = await app.token(role);
});
afterAll(() => app.stop());

const as = (role: string, query: string, variables = {}) => app.graphql(query, variables, tokens[role]);
const FIELDS = `name kind server context insecure description qps burst parallelCreates maxPods maxPodsPerNamespace
  podSecurity images serviceAccounts podDefaults paused managed serviceUrl runnerImage updatedBy
  health { state message version missingPermissions } namespaces { name } podCounts { waiting starting running }`;
const mutation = (name: string) => {
  const type = name[0]!.toUpperCase() + name.slice(1);
  const errors = /create/.test(name) ? 'ValidationError { issues { path message } }' : 'NotFoundError { code }';
  return `mutation ($input: ${type}Input!) { ${name}(input: $input) { __typename ... on Error { message }
    ... on ${errors} ${/create|update|delete/.test(name) ? '... on ConflictError { code }' : ''}
    ${name === 'updateCluster' ? '... on ValidationError { issues { path message } }' : ''}
    ... on Mutation${type}Success { data { ${name === 'deleteCluster' ? 'deletedName' : FIELDS} } } } }`;
};
const run = async (name: string, input: object, role = 'admin') => {
  const { data, errors } = await as(role, mutation(name), { input });
  if (errors) throw new Error(JSON.stringify(errors));
  return data[name];
};
const create = (input: object) => run('createCluster', { namespaces: ['jobs'], ...input });
const BY_TOKEN = { server: 'https://127.0.0.1:1', token: 'geheim-1' };

const CONFIG = {
  apiVersion: 'v1',
  kind: 'Config',
  clusters: [{ name: 'c', cluster: { server: 'https://prod.example:6443/' } }],
  users: [
    { name: 'u', user: { token: 'geheim-2' } },
    { name: 'eks', user: { exec: { command: 'aws', args: ['eks', 'geheim-3'] } } },
    { name: 'files', user: { tokenFile: '/etc/shadow' } },
    { name: 'nobody', user: {} },
    { name: 'broken', user: { token: 'geheim-4\ngeheim-5' } },
    { name: 'number', user: { token: 12345678 } },
  ],
  contexts: [
    { name: 'prod', context: { cluster: 'c', user: 'u', namespace: 'etl' } },
    { name: 'eks', context: { cluster: 'c', user: 'eks' } },
    { name: 'files', context: { cluster: 'c', user: 'files' } },
    { name: 'nobody', context: { cluster: 'c', user: 'nobody' } },
    { name: 'lost', context: { cluster: 'gone', user: 'u' } },
    { name: 'hollow' },
    { name: 'broken', context: { cluster: 'c', user: 'broken' } },
    { name: 'number', context: { cluster: 'c', user: 'number' } },
  ],
  'current-context': 'prod',
};

describe('a cluster', () => {
  it('is made by token, with all defaults, and read again', async () => {
    const made = await create({ name: 'eu', access: BY_TOKEN, settings: { description: 'Frankfurt' } });
    expect(made).toMatchObject({
      __typename: 'MutationCreateClusterSuccess',
      data: {
        ...{ name: 'eu', kind: 'TOKEN', server: 'https://127.0.0.1:1', context: null, insecure: false },
        ...{ description: 'Frankfurt', qps: 50, burst: 100, parallelCreates: 16, maxPods: 1000 },
        ...{ maxPodsPerNamespace: null, podSecurity: 'RESTRICTED', images: [], podDefaults: null, paused: false },
        ...{ managed: false, updatedBy: 'token admin', namespaces: [{ name: 'jobs' }] },
        health: { state: 'UNKNOWN', message: null, version: null, missingPermissions: [] },
        podCounts: { waiting: 0, starting: 0, running: 0 },
      },
    });
    expect((await as('viewer', `{ cluster(name: "eu") { ${FIELDS} } }`)).data.cluster).toEqual(made.data);
    expect((await as('viewer', `{ cluster(name: "none") { name } }`)).data.cluster).toBeNull();
    expect(await create({ name: 'eu', access: BY_TOKEN })).toMatchObject({ code: 'CLUSTER_EXISTS' });
  });

  it('is made of a kubeconfig, of which one context alone is kept', async () => {
    const kubeconfig = stringify(CONFIG);
    expect(await create({ name: 'prod', access: { kubeconfig } })).toMatchObject({
      data: { kind: 'KUBECONFIG', server: 'https://prod.example:6443', context: 'prod' },
    });
    const opened = await openCluster(db, TEST_VAULT, 'prod');
    const { credentials } = opened!;
    if (credentials.kind !== 'kubeconfig') throw new Error(credentials.kind);
    expect(JSON.parse(credentials.kubeconfig)).toEqual({
      ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'prod' },
      clusters: [{ name: 'cluster', cluster: { server: 'https://prod.example:6443' } }],
      users: [{ name: 'user', user: { token: 'geheim-2' } }],
      contexts: [{ name: 'prod', context: { cluster: 'cluster', user: 'user' } }],
    });
  });

  it('may be the one that the service runs in', async () => {
    expect(await create({ name: 'here', access: { inCluster: true }, namespaces: ['a', 'b'] })).toMatchObject({
      data: { kind: 'IN_CLUSTER', server: null, namespaces: [{ name: 'a' }, { name: 'b' }] },
    });
  });

  it.each<[object, string[], string]>([
    [{ name: 'No Such' }, ['name'], 'lower-case letters'],
    [{ name: '-x' }, ['name'], 'lower-case letters'],
    [{ namespaces: [] }, ['namespaces'], 'at least one namespace'],
    [{ namespaces: ['a', 'a'] }, ['namespaces'], 'named twice'],
    [{ namespaces: ['a/b'] }, ['namespaces', '0'], 'lower-case letters'],
    [{ access: {} }, ['access'], 'Give one of inCluster, kubeconfig and server; given: none.'],
    [{ access: { ...BY_TOKEN, inCluster: true } }, ['access'], 'given: inCluster, server.'],
    [{ access: { server: 'prod', token: 'x' } }, ['access', 'server'], 'an address such as https://host:6443'],
    [{ access: { server: 'http://prod', token: 'x' } }, ['access', 'server'], 'use https'],
    [{ access: { server: 'https://a:b@prod', token: 'x' } }, ['access', 'server'], 'apart'],
    [{ access: { server: 'https://prod' } }, ['access', 'token'], 'needs a token'],
    [{ access: { ...BY_TOKEN, ca: 'geheim' } }, ['access', 'ca'], 'no certificate in PEM'],
    [{ access: { kubeconfig: 'a: [geheim' } }, ['access', 'kubeconfig'], 'not valid YAML, at line 1'],
    [{ access: { kubeconfig: '- 1' } }, ['access', 'kubeconfig'], 'give the whole file'],
    [{ access: { kubeconfig: 'a: &x 1\nb: *x' } }, ['access', 'kubeconfig'], 'aliases'],
    [
      { access: { kubeconfig: 'a: b' } },
      ['access', 'kubeconfig'],
      'no current context: say which one. It has no contexts',
    ],
    [{ settings: { qps: 0 } }, ['settings', 'qps'], '1'],
    [{ settings: { serviceUrl: 'ftp://x' } }, ['settings', 'serviceUrl'], 'begins with http'],
    [{ settings: { podDefaults: { spek: {} } } }, ['settings', 'podDefaults'], "Did you mean 'spec'?"],
    [{ settings: { podDefaults: [] } }, ['settings', 'podDefaults'], 'must be an object'],
    [{ settings: { images: ['a b'] } }, ['settings', 'images', '0'], 'A pattern'],
  ])('with a mistake is refused, and it is named: %j', async (input, path, message) => {
    const refused = await create({ name: 'bad', access: BY_TOKEN, ...input });
    expect(refused).toMatchObject({
      __typename: 'ValidationError',
      issues: [{ path: ['input', ...path], message: expect.stringContaining(message) as string }],
    });
    expect(JSON.stringify(refused)).not.toContain('geheim');
  });

  it.each([
    [
      'prot',
      "It has no context 'prot'. Did you mean 'prod'? Its contexts: prod, eks, files, nobody, lost, hollow, broken, number.",
    ],
    ['lost', "It has no cluster 'gone'."],
    ['eks', 'Use the token of a service account'],
    ['files', 'names the file /etc/shadow, which is not here'],
    ['nobody', 'neither a token nor a client certificate'],
    ['hollow', 'contexts[hollow] has no context: it must be a mapping.'],
    ['broken', 'its token must be one word of ASCII characters'],
    ['number', 'its token must be one word of ASCII characters'],
  ])('of a kubeconfig that cannot be used in context %s is refused', async (context, message) => {
    const refused = await create({ name: 'bad', access: { kubeconfig: stringify(CONFIG), context } });
    expect(refused.issues).toEqual([
      { path: ['input', 'access', 'kubeconfig'], message: expect.stringContaining(message) as string },
    ]);
    expect(JSON.stringify(refused)).not.toContain('geheim');
  });

  it('is changed field by field; null sets a field back', async () => {
    await create({ name: 'changed', access: BY_TOKEN, settings: { maxPods: 3, images: ['a/*'], description: 'x' } });
    const settings = { maxPods: 7, podSecurity: 'BASELINE', images: null };
    expect(await run('updateCluster', { name: 'changed', settings, namespaces: ['x', 'y'] })).toMatchObject({
      data: {
        maxPods: 7,
        podSecurity: 'BASELINE',
        images: [],
        description: 'x',
        namespaces: [{ name: 'x' }, { name: 'y' }],
      },
    });
    expect(await run('updateCluster', { name: 'changed', settings: { maxPods: null } })).toMatchObject({
      data: { maxPods: 1000, server: 'https://127.0.0.1:1' },
    });
    expect(
      await run('updateCluster', { name: 'changed', access: { server: 'https://127.0.0.1:2', token: 'geheim-4' } }),
    ).toMatchObject({ data: { server: 'https://127.0.0.1:2', podSecurity: 'BASELINE' } });
    expect(await run('updateCluster', { name: 'changed', access: { server: 'https://x' } })).toMatchObject({
      issues: [{ path: ['input', 'access', 'token'] }],
    });
    expect(await run('updateCluster', { name: 'none' })).toMatchObject({ code: 'NOT_FOUND' });
  });

  it('is paused, goes on, and goes', async () => {
    await create({ name: 'short', access: BY_TOKEN });
    expect(await run('pauseCluster', { name: 'short', paused: true })).toMatchObject({ data: { paused: true } });
    expect(await run('pauseCluster', { name: 'short', paused: false })).toMatchObject({ data: { paused: false } });
    await pool.query(`insert into launch (dispatch_id, run_id, task_index, map_index, try_number, version_id, cluster, worker_id)
      values (gen_random_uuid(), 1, 0, -1, 1, 1, 'short', 1)`);
    expect(await run('deleteCluster', { name: 'short' })).toMatchObject({ code: 'CLUSTER_IN_USE' });
    expect(await run('deleteCluster', { name: 'short', force: true })).toMatchObject({
      data: { deletedName: 'short' },
    });
    expect(await run('deleteCluster', { name: 'short' })).toMatchObject({ code: 'NOT_FOUND' });
    expect(await run('pauseCluster', { name: 'short', paused: true })).toMatchObject({ code: 'NOT_FOUND' });
    expect(await run('checkCluster', { name: 'short' })).toMatchObject({ code: 'NOT_FOUND' });
    await pool.query('delete from launch');
  });

  it('that the configuration keeps stays where it is, with limits and a policy that people may set', async () => {
    await createCluster(
      db,
      TEST_VAULT,
      {
        ...CLUSTER_DEFAULTS,
        name: 'kept',
        namespaces: ['x'],
        access: { credentials: { kind: 'in_cluster' }, server: null, insecure: false },
      },
      { actor: 'configuration', managed: true },
    );
    const refused = { code: 'CLUSTER_MANAGED', message: expect.stringContaining('MILLRACE_KUBECONFIG') as string };
    expect(await run('updateCluster', { name: 'kept', namespaces: ['kube-system'] })).toMatchObject(refused);
    expect(await run('updateCluster', { name: 'kept', access: BY_TOKEN })).toMatchObject(refused);
    expect(await run('updateCluster', { name: 'kept', settings: { maxPods: 1 } })).toMatchObject({
      data: { managed: true },
    });
    expect(await run('deleteCluster', { name: 'kept' })).toMatchObject(refused);
    expect(await run('pauseCluster', { name: 'kept', paused: true })).toMatchObject({
      data: { paused: true, managed: true },
    });
  });

  it('that does not answer is found so when it is checked, and its quotas say why they are not there', async () => {
    await create({ name: 'away', access: BY_TOKEN });
    const { data } = await run('checkCluster', { name: 'away' });
    expect(data.health).toMatchObject({
      state: 'UNREACHABLE',
      message: expect.stringContaining('cannot be reached') as string,
    });
    const query = `{ cluster(name: "away") { health { state checkedAt since } namespaces { name error quotas { name } limitRanges { name } } } }`;
    const { cluster } = (await as('viewer', query)).data;
    expect(cluster.health.checkedAt).not.toBeNull();
    expect(cluster.namespaces).toEqual([
      { name: 'jobs', error: expect.stringContaining('cannot be reached') as string, quotas: [], limitRanges: [] },
    ]);
    // Asked for by name alone it is left in peace
    expect((await as('viewer', '{ clusters { name namespaces { name } } }')).errors).toBeUndefined();
  });

  it('whose credentials are under an unknown key is told apart from one that is away', async () => {
    await create({ name: 'sealed', access: BY_TOKEN });
    await pool.query(
      `update cluster set sealed = (select sealed from cluster where name = 'away') where name = 'sealed'`,
    );
    expect((await run('checkCluster', { name: 'sealed' })).data.health).toMatchObject({
      state: 'UNREACHABLE',
      message: 'The secret of cluster sealed cannot be read: it was changed, or it belongs elsewhere. Set it anew.',
    });
  });
});

describe('the clusters', () => {
  it('are told of anew whenever one or its health has changed', async () => {
    const events = await app.post(
      { query: 'subscription { clusterChanges { at clusters { name paused health { state } } } }' },
      { authorization: `Bearer ${tokens['viewer']}`, accept: 'text/event-stream' },
    );
    const reader = events.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    const until = async (done: (told: { name: string; paused: boolean; health: { state: string } }[]) => boolean) => {
      for (;;) {
        const last = text
          .split('\n')
          .filter((line) => line.startsWith('data: {'))
          .at(-1);
        const told = last && JSON.parse(last.slice('data: '.length)).data?.clusterChanges.clusters;
        if (told && done(told)) return;
        const { value, done: ended } = await reader.read();
        if (ended) throw new Error(`The stream ended: ${text}`);
        text += value;
      }
    };
    await until((told) => told.some(({ name }) => name === 'eu'));
    await run('pauseCluster', { name: 'eu', paused: true });
    await until((told) => told.some(({ name, paused }) => name === 'eu' && paused));
    const { record } = (await openCluster(db, TEST_VAULT, 'eu'))!;
    await setClusterHealth(db, record, { state: 'ok', message: null, version: 'v1.31.0', missingPermissions: [] });
    await until((told) => told.some(({ name, health }) => name === 'eu' && health.state === 'OK'));
    // Tasks that went on may have changed how many Pods there are
    const seen = text.length;
    await pool.query(`select pg_notify('millrace_event', '')`);
    await until(() => text.length > seen && text.slice(seen).includes('clusterChanges'));
    await reader.cancel();
  });

  it('are for admins to change, for all to see, and their secrets for nobody', async () => {
    const everything = `{ clusters { ${FIELDS} } }`;
    const answers: GraphqlResult[] = [];
    for (const role of ['viewer', 'editor', 'admin']) answers.push(await as(role, everything));
    expect(answers[0]!.errors).toBeUndefined();
    const codes = async (role: string, query: string, variables = {}) =>
      (await as(role, query, variables)).errors?.map((error) => error.extensions?.code) ?? [];
    const inputs = {
      createCluster: { name: 'who', access: BY_TOKEN, namespaces: ['x'] },
      updateCluster: { name: 'eu' },
      pauseCluster: { name: 'eu', paused: true },
      checkCluster: { name: 'eu' },
      deleteCluster: { name: 'eu' },
    };
    for (const role of ['viewer', 'editor', 'worker'])
      for (const [name, input] of Object.entries(inputs))
        expect(await codes(role, mutation(name), { input }), `${role} ${name}`).toEqual(['FORBIDDEN']);
    expect(await codes('worker', everything)).toEqual(['FORBIDDEN']);
    const { rows } = await pool.query(
      `select (select json_agg(c) from cluster c) as c, (select json_agg(a) from audit_event a) as a`,
    );
    expect(JSON.stringify([answers, rows])).not.toMatch(/geheim/);
    expect(JSON.stringify(app.logged)).not.toMatch(/geheim/);
    expect(JSON.stringify(rows)).not.toContain(Buffer.from('geheim').toString('hex'));
  });
});
