import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createVault } from '#db/vault.ts';
import { startTestApp, TEST_KEY, type GraphqlResult, type TestApp } from '../helpers/app.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { dagOf, work } from '../helpers/engine.ts';

const database = await createTestDatabase();
let app: TestApp;
const tokens: { [role: string]: string } = {};

beforeAll(async () => {
  app = await startTestApp(database);
  for (const role of ['viewer', 'editor', 'admin', 'worker'] as const) tokens[role] = await app.token(role);
});
afterAll(() => app.stop());

const as = (role: string, query: string, variables = {}) => app.graphql(query, variables, tokens[role]);
const SET = `mutation ($input: SetVariableInput!) { setVariable(input: $input) { __typename
  ... on Error { message } ... on MutationSetVariableSuccess { data { id key value secret description updatedBy } } } }`;
const CREATE = `mutation ($input: CreateConnectionInput!) { createConnection(input: $input) { __typename
  ... on Error { message } ... on ConflictError { code } ... on ValidationError { issues { path message } }
  ... on MutationCreateConnectionSuccess { data { id connectionId kind host port login hasPassword extra secretExtraKeys } } } }`;
const UPDATE = CREATE.replaceAll('CreateConnection', 'UpdateConnection')
  .replace('createConnection', 'updateConnection')
  .replace('... on ConflictError { code }', '');
const set = async (input: object, role = 'editor') => (await as(role, SET, { input })).data?.setVariable;
const create = async (input: object) => (await as('editor', CREATE, { input })).data?.createConnection;
const update = async (input: object) => (await as('editor', UPDATE, { input })).data?.updateConnection;

describe('variables', () => {
  it('are set, set again, read, listed page by page and deleted', async () => {
    expect(await set({ key: 'region', value: 'eu', description: 'where' })).toMatchObject({
      data: { key: 'region', value: 'eu', secret: false, description: 'where', updatedBy: 'token editor' },
    });
    expect(await set({ key: 'region', value: 'us' })).toMatchObject({ data: { value: 'us', description: 'where' } });
    for (const key of ['b', 'a', 'c']) await set({ key: `page.${key}`, value: key });
    const list = `query ($after: String) { variables(first: 2, after: $after, search: "PAGE.") { edges { node { key } } pageInfo { endCursor hasNextPage } } }`;
    const first = (await as('viewer', list)).data.variables;
    const second = (await as('viewer', list, { after: first.pageInfo.endCursor })).data.variables;
    const keys = [...first.edges, ...second.edges].map((edge: { node: { key: string } }) => edge.node.key);
    expect(keys).toEqual(['page.a', 'page.b', 'page.c']);
    const remove = `mutation { deleteVariable(input: { key: "region" }) { __typename ... on Error { message } } }`;
    expect((await as('editor', remove)).data.deleteVariable.__typename).toBe('MutationDeleteVariableSuccess');
    expect((await as('editor', remove)).data.deleteVariable).toEqual({
      __typename: 'NotFoundError',
      message: 'There is no variable "region".',
    });
    expect((await as('viewer', '{ variable(key: "region") { key } }')).data.variable).toBeNull();
  });

  it('are secret where their key looks so, and stay secret until somebody says otherwise', async () => {
    expect(await set({ key: 'api_token', value: 'geheim-1' })).toMatchObject({ data: { value: null, secret: true } });
    expect(await set({ key: 'plain', value: 'geheim-2', secret: true })).toMatchObject({ data: { secret: true } });
    expect(await set({ key: 'plain', value: 'geheim-3' })).toMatchObject({ data: { value: null, secret: true } });
    expect(await set({ key: 'plain', value: 'open', secret: false })).toMatchObject({ data: { value: 'open' } });
  });

  it.each([
    [{ key: 'no spaces', value: '' }, 'A name has 1 to 200'],
    [{ key: '', value: '' }, 'A name has 1 to 200'],
    [{ key: 'nul', value: 'a\0b' }, 'NUL'],
    [{ key: 'long', value: 'x'.repeat(262_145) }, '262144'],
  ])('that cannot be are refused: %j', async (input, message) => {
    expect(await set(input)).toEqual({ __typename: 'ValidationError', message: expect.stringContaining(message) });
  });
});

describe('connections', () => {
  const CONNECTION = { connectionId: 'db', kind: 'postgres', host: 'h', port: 5432, login: 'me', password: 'geheim-4' };

  it('are made, changed field by field, and refused twice', async () => {
    expect(
      await create({ ...CONNECTION, extra: { sslmode: 'require' }, secretExtra: { cert: 'geheim-5' } }),
    ).toMatchObject({
      data: { connectionId: 'db', hasPassword: true, extra: { sslmode: 'require' }, secretExtraKeys: ['cert'] },
    });
    expect(await create(CONNECTION)).toMatchObject({ __typename: 'ConflictError', code: 'CONNECTION_EXISTS' });
    expect(await update({ connectionId: 'db', host: 'other' })).toMatchObject({
      data: { host: 'other', port: 5432, hasPassword: true, secretExtraKeys: ['cert'] },
    });
    expect(await update({ connectionId: 'db', password: 'geheim-6' })).toMatchObject({
      data: { hasPassword: true, secretExtraKeys: ['cert'] },
    });
    const { rows } = await database.pool.query<{ sealed: Buffer }>(`select sealed from connection where id = 'db'`);
    expect(JSON.parse(createVault(TEST_KEY).open(rows[0]!.sealed, 'connection:db'))).toEqual({
      password: 'geheim-6',
      extra: { cert: 'geheim-5' },
    });
    expect(await update({ connectionId: 'db', password: null, secretExtra: null, port: null })).toMatchObject({
      data: { port: null, hasPassword: false, secretExtraKeys: [] },
    });
    expect(await update({ connectionId: 'none', host: 'x' })).toMatchObject({ __typename: 'NotFoundError' });
  });

  it.each([
    [{ connectionId: 'x', kind: 'postgress', host: 'h' }, 'kind', "Did you mean 'postgres'?"],
    [{ connectionId: 'x', kind: 'postgres' }, 'host', 'needs a host'],
    [{ connectionId: 'x', kind: 'slack' }, 'password', 'needs the token'],
    [{ connectionId: 'x y', kind: 'generic' }, 'connectionId', 'A name has 1 to 200'],
    [{ connectionId: 'x', kind: 'generic', port: 70_000 }, 'port', 'from 1 to 65535'],
    [{ connectionId: 'x', kind: 'generic', extra: [1] }, 'extra', 'must be an object'],
    [{ connectionId: 'x', kind: 'generic', extra: { api_key: 'k' } }, 'extra', 'looks like a secret'],
  ])('with a mistake are refused, and it is named: %j', async (input, field, message) => {
    expect(await create(input)).toMatchObject({
      __typename: 'ValidationError',
      issues: [{ path: ['input', field], message: expect.stringContaining(message) as string }],
    });
  });
  it('may not be changed into one with a mistake', async () => {
    await create({ ...CONNECTION, connectionId: 'kept' });
    expect(await update({ connectionId: 'kept', host: null })).toMatchObject({
      issues: [{ path: ['input', 'host'], message: 'A connection of kind postgres needs a host.' }],
    });
    expect((await as('viewer', '{ connection(connectionId: "kept") { host } }')).data.connection.host).toBe('h');
  });
});

describe('secrets', () => {
  const everything = `{ variables { edges { node { id key value secret description } } }
    connections { edges { node { id connectionId kind host port schema login hasPassword extra secretExtraKeys description } } } }`;

  it('are given back to nobody: not to an admin, not in the database, not in the audit trail', async () => {
    await set({ key: 'deep', value: 'geheim-7', secret: true });
    await create({
      connectionId: 'deep',
      kind: 'generic',
      password: 'geheim-8',
      secretExtra: { a: { b: 'geheim-9' } },
    });
    const answers: GraphqlResult[] = [];
    for (const role of ['viewer', 'editor', 'admin']) answers.push(await as(role, everything));
    expect(answers[0]!.errors).toBeUndefined();
    const { rows } = await database.pool.query(
      `select (select json_agg(v) from variable v) as v, (select json_agg(c) from connection c) as c,
         (select json_agg(a) from audit_event a) as a`,
    );
    expect(JSON.stringify([answers, rows])).not.toMatch(/geheim/);
    expect(JSON.stringify(app.logged)).not.toMatch(/geheim/);
    // In hex too: bytea is printed so
    expect(JSON.stringify(rows)).not.toContain(Buffer.from('geheim').toString('hex'));
  });

  it('are for editors to write, and for nobody below', async () => {
    const codes = async (role: string, query: string, variables = {}) =>
      (await as(role, query, variables)).errors?.map((error) => error.extensions?.code) ?? [];
    const variable = { input: { key: 'who', value: 'x' } };
    const connection = { input: { connectionId: 'who', kind: 'generic' } };
    for (const role of ['viewer', 'worker']) {
      expect(await codes(role, SET, variable)).toEqual(['FORBIDDEN']);
      expect(await codes(role, CREATE, connection)).toEqual(['FORBIDDEN']);
      expect(await codes(role, UPDATE, connection)).toEqual(['FORBIDDEN']);
    }
    expect(await codes('worker', everything)).toEqual(['FORBIDDEN']);
    expect(await codes('editor', 'mutation { rewrapSecrets { rewrapped } }')).toEqual(['FORBIDDEN']);
  });

  it('leave a trace of who changed what, without the value', async () => {
    await set({ key: 'traced', value: 'geheim-10', secret: true });
    await as('editor', `mutation { deleteVariable(input: { key: "traced" }) { __typename } }`);
    const { rows } = await database.pool.query(
      `select actor, action, detail from audit_event where object = 'traced' order by id`,
    );
    expect(rows).toEqual([
      { actor: 'token editor', action: 'set_variable', detail: { secret: true } },
      { actor: 'token editor', action: 'delete_variable', detail: null },
    ]);
  });

  it('go under a new key by one call, and those under an unknown key are named', async () => {
    await database.pool.query('delete from variable');
    await database.pool.query('delete from connection');
    const former = Buffer.alloc(32, 1);
    const current = Buffer.alloc(32, 2);
    const put = (key: string, vault: ReturnType<typeof createVault>) =>
      database.pool.query(`insert into variable (key, sealed, updated_by) values ($1, $2, 'test')`, [
        key,
        vault.seal(`value of ${key}`, `variable:${key}`),
      ]);
    await put('old', createVault(former));
    await put('new', createVault(current));
    await put('lost', createVault(Buffer.alloc(32, 3)));
    const rotating = await startTestApp(database, { vault: createVault(current, [former]) });
    try {
      const rewrap = 'mutation { rewrapSecrets { rewrapped unreadable } }';
      const once = await rotating.graphql(rewrap, {}, tokens['admin']);
      expect(once.data.rewrapSecrets).toEqual({ rewrapped: 1, unreadable: ['variable lost'] });
      const twice = await rotating.graphql(rewrap, {}, tokens['admin']);
      expect(twice.data.rewrapSecrets).toEqual({ rewrapped: 0, unreadable: ['variable lost'] });
    } finally {
      await rotating.stop();
    }
    const { rows } = await database.pool.query<{ sealed: Buffer }>(`select sealed from variable where key = 'old'`);
    expect(createVault(current).open(rows[0]!.sealed, 'variable:old')).toBe('value of old');
  });
});

it('what the templates of a task came to is shown with its tries', async () => {
  const { dagId } = await app.engine.deploy(dagOf('shown', { t: { command: 'echo {{ ds }}' }, plain: [] }));
  const [created] = await app.engine.createRuns([{ dagId, kind: 'manual' }]);
  await work(app.engine, await app.engine.worker(), ({ taskId }) =>
    taskId === 't' ? { rendered: { command: 'echo ***' } } : 'success',
  );
  const query = `query ($id: ID!) { taskInstance(id: $id) { rendered tries { rendered } } }`;
  const of = async (index: number) =>
    (await as('viewer', query, { id: `${created!.runId}.${index}.-1` })).data.taskInstance;
  expect(await of(0)).toEqual({ rendered: { command: 'echo ***' }, tries: [{ rendered: { command: 'echo ***' } }] });
  expect(await of(1)).toEqual({ rendered: null, tries: [{ rendered: null }] });
});
