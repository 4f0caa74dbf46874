import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../helpers/app.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { dagOf, statesOf } from '../helpers/engine.ts';

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

const FIELDS = 'name slots includeDeferred description queued running deferred open waiting';
async function mutate(name: string, input: object, fields = FIELDS, token = editor) {
  const type = `${name[0]!.toUpperCase()}${name.slice(1)}`;
  const result = await app.graphql(
    `mutation ($input: ${type}Input!) { ${name}(input: $input) { __typename ... on Error { message } ${name === 'createPool' ? '... on ConflictError { code }' : ''}
      ... on Mutation${type}Success { data { ${fields} } } } }`,
    { input },
    token,
  );
  return result.data?.[name] ?? result.errors;
}
const pools = async () => (await app.graphql(`{ pools { ${FIELDS} } }`, {}, viewer)).data.pools;

describe('pools', () => {
  it('are made, seen with what goes on in them, changed and deleted, and it is written down who did it', async () => {
    const made = { name: 'etl', slots: 1, includeDeferred: false, description: 'the warehouse' };
    expect(await mutate('createPool', { name: 'etl', slots: 1, description: 'the warehouse' })).toMatchObject({
      data: { ...made, open: 1, waiting: 0 },
    });
    const { dagId } = await app.engine.deploy(dagOf('pooled', { a: { pool: 'etl' }, b: { pool: 'etl' } }));
    const [run] = await app.engine.createRuns([{ dagId, kind: 'manual' }]);
    expect(await pools()).toEqual([{ ...made, queued: 1, running: 0, deferred: 0, open: 0, waiting: 1 }]);
    expect(await mutate('updatePool', { name: 'etl', slots: 2 })).toMatchObject({
      data: { ...made, slots: 2, queued: 2, open: 0, waiting: 0 },
    });
    expect(await statesOf(database, run!.runId)).toEqual({ a: 'queued', b: 'queued' });
    expect(await mutate('deletePool', { name: 'etl' }, 'deletedName')).toMatchObject({ data: { deletedName: 'etl' } });
    expect(await pools()).toEqual([]);
    const { rows } = await database.pool.query(
      `select actor, action, object from audit_event where object = 'etl' order by id`,
    );
    expect(rows.map((row: { action: string }) => row.action)).toEqual(['create_pool', 'update_pool', 'delete_pool']);
    expect(rows[0]).toMatchObject({ actor: 'token editor' });
  });

  it('that are there, not there, or cannot be are refused', async () => {
    await mutate('createPool', { name: 'twice', slots: 1 });
    expect(await mutate('createPool', { name: 'twice', slots: 1 })).toMatchObject({ code: 'POOL_EXISTS' });
    expect(await mutate('updatePool', { name: 'none', slots: 1 })).toMatchObject({ __typename: 'NotFoundError' });
    expect(await mutate('deletePool', { name: 'none' }, 'deletedName')).toMatchObject({ __typename: 'NotFoundError' });
    expect(await mutate('createPool', { name: 'a b', slots: 1 })).toMatchObject({ __typename: 'ValidationError' });
    expect(await mutate('createPool', { name: 'minus', slots: -1 })).toMatchObject({ __typename: 'ValidationError' });
  });

  it('are changed by editors only', async () => {
    expect(await mutate('createPool', { name: 'mine', slots: 1 }, FIELDS, viewer)).toMatchObject([
      { extensions: { code: 'FORBIDDEN' } },
    ]);
  });

  it('that a DAG names and that are missing or too small are told when it is deployed', async () => {
    await mutate('createPool', { name: 'narrow', slots: 2 });
    const tasks = { a: { pool: 'nowhere' }, b: { pool: 'narrow', poolSlots: 3 }, c: { pool: 'narrow' } };
    const spec = JSON.parse(JSON.stringify(dagOf('warned', tasks)));
    expect(await mutate('deployDag', { spec }, 'warnings')).toMatchObject({
      data: {
        warnings: [
          'There is no pool "nowhere" yet: its tasks wait until "millrace pool set nowhere <slots>" makes it.',
          'Task "b" takes 3 slots of pool "narrow", which has 2: it waits until there are more.',
        ],
      },
    });
  });
});
