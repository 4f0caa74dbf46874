import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../helpers/app.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { dagOf } from '../helpers/engine.ts';

const database = await createTestDatabase();
let app: TestApp;
let viewer: string;
const RUNS = 57;

beforeAll(async () => {
  app = await startTestApp(database);
  viewer = await app.token('viewer');
  for (let n = 0; n < 23; n++)
    await app.engine.deploy(dagOf(`dag_${String(n).padStart(2, '0')}`, { a: [] }, { tags: n % 2 ? ['odd'] : [] }));
  const tasks = Object.fromEntries(Array.from({ length: 31 }, (_, n) => [`t${n}`, []]));
  const { dagId } = await app.engine.deploy(dagOf('wide', tasks));
  // Created in one statement: many have the same time, to the microsecond
  await app.engine.createRuns(
    Array.from({ length: RUNS }, (_, n) => ({ dagId, kind: 'manual' as const, runKey: `run ${n}` })),
  );
});
afterAll(() => app.stop());

interface Page {
  edges: { cursor: string; node: { id: string } }[];
  pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; startCursor: string | null; endCursor: string | null };
}

/** Walks a list from one end to the other. */
async function walk(field: string, path: string[], size: number, forward: boolean): Promise<string[]> {
  const ids: string[] = [];
  let cursor: string | null = null;
  for (let pages = 0; pages < 100; pages++) {
    const at = forward
      ? `first: ${size}${cursor ? `, after: "${cursor}"` : ''}`
      : `last: ${size}${cursor ? `, before: "${cursor}"` : ''}`;
    const query = `{ ${field.replace('PAGE', at)} }`.replace(
      'LIST',
      '{ edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }',
    );
    const result = await app.graphql(query, {}, viewer);
    const page = path.reduce((value, key) => value[key], result.data) as Page;
    const found = page.edges.map((edge) => edge.node.id);
    ids.splice(forward ? ids.length : 0, 0, ...found);
    if (!(forward ? page.pageInfo.hasNextPage : page.pageInfo.hasPreviousPage)) return ids;
    cursor = forward ? page.pageInfo.endCursor : page.pageInfo.startCursor;
  }
  throw new Error('the list does not end');
}

describe('a list', () => {
  it.each([
    ['dags', 'dags(PAGE) LIST', ['dags'], 24],
    ['dags with a tag', 'dags(PAGE, tag: "odd") LIST', ['dags'], 11],
    ['runs', 'dagRuns(PAGE) LIST', ['dagRuns'], RUNS],
    ['runs of a DAG', 'dag(dagId: "wide") { runs(PAGE) LIST }', ['dag', 'runs'], RUNS],
    ['queued runs', 'dag(dagId: "wide") { runs(PAGE, state: QUEUED) LIST }', ['dag', 'runs'], RUNS - 16],
  ])('of %s has each row once, both ways', async (_what, field, path, count) => {
    const forward = await walk(field, path, 7, true);
    expect(new Set(forward).size).toBe(count);
    expect(forward).toHaveLength(count);
    expect(await walk(field, path, 5, false)).toEqual(forward);
  });

  it('of task instances keeps the order of the spec', async () => {
    const result = await app.graphql('{ dagRuns(first: 1) { edges { node { runId } } } }', {}, viewer);
    const { runId } = result.data.dagRuns.edges[0].node;
    const field = `dagRun(runId: "${runId}") { taskInstances(PAGE) LIST }`;
    const forward = await walk(field, ['dagRun', 'taskInstances'], 10, true);
    expect(forward.map((id) => Buffer.from(id, 'base64').toString())).toEqual(
      Array.from({ length: 31 }, (_, n) => `TaskInstance:${runId}.${n}.-1`),
    );
    expect(await walk(field, ['dagRun', 'taskInstances'], 10, false)).toEqual(forward);
  });

  it('has at most 200 rows a page, and one direction', async () => {
    for (const args of ['first: 201', 'first: -1', 'first: 1, last: 1', 'after: "!"']) {
      const result = await app.graphql(`{ dagRuns(${args}) { edges { cursor } } }`, {}, viewer);
      expect(result.errors?.[0]?.extensions?.code, args).toBe('BAD_USER_INPUT');
    }
  });

  it('has 50 rows when nothing is said', async () => {
    const result = await app.graphql('{ dagRuns { edges { cursor } pageInfo { hasNextPage } } }', {}, viewer);
    expect(result.data.dagRuns.edges).toHaveLength(50);
    expect(result.data.dagRuns.pageInfo.hasNextPage).toBe(true);
  });
});

describe('node(id)', () => {
  it('reads every node again, and is null for what is gone', async () => {
    const query = `{ dag(dagId: "wide") { id version { id } } dagRuns(first: 1) { edges { node { id taskInstances(first: 1) { edges { node { id } } } } } } }`;
    const { dag, dagRuns } = (await app.graphql(query, {}, viewer)).data;
    const run = dagRuns.edges[0].node;
    for (const id of [dag.id, dag.version.id, run.id, run.taskInstances.edges[0].node.id])
      expect((await app.graphql(`{ node(id: "${id}") { id } }`, {}, viewer)).data).toEqual({ node: { id } });
    const gone = Buffer.from('DagRun:12345').toString('base64');
    expect(await app.graphql(`{ node(id: "${gone}") { id } }`, {}, viewer)).toEqual({ data: { node: null } });
  });

  it('a run is found by its bare and its global id', async () => {
    const { dagRuns } = (await app.graphql('{ dagRuns(first: 1) { edges { node { id runId } } } }', {}, viewer)).data;
    const { id, runId } = dagRuns.edges[0].node;
    for (const asked of [id, runId])
      expect((await app.graphql(`{ dagRun(runId: "${asked}") { id } }`, {}, viewer)).data).toEqual({ dagRun: { id } });
    expect((await app.graphql(`{ dagRun(runId: "nonsense") { id } }`, {}, viewer)).data).toEqual({ dagRun: null });
  });
});
