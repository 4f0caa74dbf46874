import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../helpers/app.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { dagOf } from '../helpers/engine.ts';

const database = await createTestDatabase();
let app: TestApp;
let editor: string;
let viewer: string;

beforeAll(async () => {
  app = await startTestApp(database);
  editor = await app.token('editor');
  viewer = await app.token('viewer');
  const assets = (expression: object) => ({ schedule: { kind: 'assets', expression, or: null } }) as never;
  const { deploy } = app.engine;
  await deploy(dagOf('extract', { a: { outlets: ['raw', 'log'] }, b: { upstream: ['a'], outlets: ['raw'] } }));
  await deploy(dagOf('refine', { c: { outlets: ['fine'] } }, assets({ asset: 'raw' })));
  await deploy(dagOf('report', { d: [] }, assets({ all: [{ asset: 'fine' }, { asset: 'raw' }] })));
});
afterAll(() => app.stop());

const EVENT = 'asset { name } extra taskId createdBy';
async function tell(input: object, token = editor) {
  const result = await app.graphql(
    `mutation ($input: CreateAssetEventInput!) { createAssetEvent(input: $input) { __typename ... on Error { message }
      ... on ValidationError { issues { path message } } ... on MutationCreateAssetEventSuccess { data { eventId ${EVENT} } } } }`,
    { input },
    token,
  );
  return result.data?.createAssetEvent ?? result.errors;
}
const ask = async (query: string, variables = {}) => {
  const result = await app.graphql(query, variables, viewer);
  expect(result.errors).toBeUndefined();
  return withNodes(result.data);
};
/** Connections with `nodes` alone. */
const withNodes = (data: object) =>
  JSON.parse(JSON.stringify(data), (_key, value) =>
    value?.edges?.every?.((edge: object) => 'node' in edge) && value.truncated === undefined
      ? { ...value, edges: undefined, nodes: value.edges.map(({ node }: { node: unknown }) => node) }
      : value,
  );

describe('assets', () => {
  it('are listed by name, with who updates them and who waits for them', async () => {
    const fields = 'name producers { dag { dagId } taskId } consumers { dagId }';
    const { assets } = await ask(
      `{ assets(first: 2) { edges { node { ${fields} } } pageInfo { hasNextPage endCursor } } }`,
    );
    const producer = (dagId: string, taskId: string) => ({ dag: { dagId }, taskId });
    expect(assets.nodes).toEqual([
      { name: 'fine', producers: [producer('refine', 'c')], consumers: [{ dagId: 'report' }] },
      { name: 'log', producers: [producer('extract', 'a')], consumers: [] },
    ]);
    expect(assets.pageInfo.hasNextPage).toBe(true);
    const more = await ask(`query ($after: String) { assets(after: $after) { edges { node { ${fields} } } } }`, {
      after: assets.pageInfo.endCursor,
    });
    const raw = {
      name: 'raw',
      producers: [producer('extract', 'a'), producer('extract', 'b')],
      consumers: [{ dagId: 'refine' }, { dagId: 'report' }],
    };
    expect(more.assets.nodes).toEqual([raw]);
    expect(await ask(`{ asset(name: "raw") { ${fields} } none: asset(name: "no") { name } }`)).toEqual({
      asset: raw,
      none: null,
    });
    expect((await ask('{ assets(search: "IN") { edges { node { name } } } }')).assets.nodes).toEqual([
      { name: 'fine' },
    ]);
  });

  it('are updated from outside, once for each key, and their DAGs get runs that say why', async () => {
    const input = { asset: 'raw', extra: { file: 'x.csv' }, idempotencyKey: 'upload 1' };
    const first = await tell(input);
    expect(first.data).toMatchObject({
      asset: { name: 'raw' },
      extra: { file: 'x.csv' },
      taskId: null,
      createdBy: 'token editor',
    });
    expect(await tell(input)).toEqual(first);
    const runs = 'runs { edges { node { kind logicalDate conf assetEvents { extra } } } }';
    const { refine, report } = await ask(
      `{ refine: dag(dagId: "refine") { ${runs} } report: dag(dagId: "report") { ${runs} } }`,
    );
    expect(refine.runs.nodes).toEqual([
      { kind: 'ASSET', logicalDate: null, conf: {}, assetEvents: [{ extra: { file: 'x.csv' } }] },
    ]);
    expect(report.runs.nodes).toEqual([]);
    await tell({ asset: 'fine' });
    expect((await ask(`{ dag(dagId: "report") { ${runs} } }`)).dag.runs.nodes[0].assetEvents).toHaveLength(2);
    const { rows } = await database.pool.query(
      `select actor, object from audit_event where action = 'create_asset_event' order by id`,
    );
    expect(rows).toEqual([
      { actor: 'token editor', object: 'raw' },
      { actor: 'token editor', object: 'fine' },
    ]);
  });

  it('list their updates, newest first, page by page', async () => {
    for (const n of [1, 2, 3]) await tell({ asset: 'log', extra: { n } });
    const first = (
      await ask(
        '{ asset(name: "log") { lastEvent { extra } events(first: 2) { edges { node { extra } } pageInfo { endCursor } } } }',
      )
    ).asset;
    expect([
      first.lastEvent.extra.n,
      first.events.nodes.map((event: { extra: { n: number } }) => event.extra.n),
    ]).toEqual([3, [3, 2]]);
    const rest = await ask(
      `query ($after: String) { asset(name: "log") { events(after: $after) { edges { node { extra } } } } }`,
      {
        after: first.events.pageInfo.endCursor,
      },
    );
    expect(rest.asset.events.nodes).toEqual([{ extra: { n: 1 } }]);
    const all = await ask(`{ assetEvents(first: 1) { edges { node { ${EVENT} } } } }`);
    expect(all.assetEvents.nodes).toMatchObject([{ asset: { name: 'log' }, extra: { n: 3 } }]);
  });

  it('refuse what is not known, not an object, too large, or not allowed', async () => {
    expect(await tell({ asset: 'unknown' })).toEqual({
      __typename: 'NotFoundError',
      message: 'There is no asset "unknown": no DAG names it.',
    });
    expect(await tell({ asset: 'raw', extra: [1] })).toMatchObject({
      issues: [{ path: ['input', 'extra'], message: 'It must be an object.' }],
    });
    expect(await tell({ asset: 'raw', extra: { text: 'x'.repeat(70_000) } })).toMatchObject({
      __typename: 'ValidationError',
    });
    expect(await tell({ asset: 'raw', extra: { text: 'a\0b' } })).toMatchObject({ __typename: 'ValidationError' });
    expect(await tell({ asset: 'raw' }, viewer)).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }]);
  });
});

describe('lineage', () => {
  const query = `query ($asset: String, $dagId: String, $depth: Int) {
    lineage(asset: $asset, dagId: $dagId, depth: $depth) { nodes { key kind name dagId } edges { from to } truncated } }`;
  const edgesOf = async (args: object) => {
    const { edges, truncated } = (await ask(query, args)).lineage;
    return { edges: edges.map((edge: { from: string; to: string }) => `${edge.from} → ${edge.to}`).sort(), truncated };
  };
  const near = ['asset:fine → dag:report', 'dag:refine → task:refine.c', 'task:refine.c → asset:fine'];

  it('shows all that hangs together', async () => {
    const all = await edgesOf({});
    expect(all).toEqual({
      edges: [
        ...near,
        'asset:raw → dag:refine',
        'asset:raw → dag:report',
        'dag:extract → task:extract.a',
        'dag:extract → task:extract.b',
        'task:extract.a → asset:log',
        'task:extract.a → asset:raw',
        'task:extract.b → asset:raw',
      ].sort(),
      truncated: false,
    });
    expect(await edgesOf({ asset: 'fine' })).toEqual(all);
    expect(await edgesOf({ dagId: 'extract' })).toEqual(all);
    const { nodes } = (await ask(query, {})).lineage;
    expect(nodes).toContainEqual({ key: 'task:refine.c', kind: 'TASK', name: 'c', dagId: 'refine' });
  });

  it('stops where it is told to, and says that there is more', async () => {
    expect(await edgesOf({ asset: 'fine', depth: 0 })).toEqual({ edges: near, truncated: true });
  });

  it('is empty around what is not there', async () => {
    expect(await edgesOf({ asset: 'nothing' })).toEqual({ edges: [], truncated: false });
  });
});
