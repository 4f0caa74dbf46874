/** DAGs, tasks and assets as a graph: what updates what, what follows from what. */
import { assetsOfDags, findAssetByName, listAssetLinks, type AssetLink } from '#db/queries/assets.ts';
import { findDagByName } from '#db/queries/dags.ts';
import { builder } from '../builder.ts';
import type { Context } from '../context.ts';
import { badInput } from '../errors.ts';

const MOST_EDGES = 5000;
/** Steps from asset to asset, by way of a DAG. */
const MOST_DEPTH = 20;

const LineageKindEnum = builder.enumType('LineageKind', {
  description: 'What stands at a place of the graph.',
  values: {
    DAG: { value: 'dag', description: 'A DAG.' },
    TASK: { value: 'task', description: 'A task that updates assets.' },
    ASSET: { value: 'asset', description: 'An asset.' },
  } as const,
});

interface Place {
  key: string;
  kind: 'dag' | 'task' | 'asset';
  name: string;
  dagId: string | null;
}
interface Edge {
  from: string;
  to: string;
}
interface Graph {
  nodes: Place[];
  edges: Edge[];
  truncated: boolean;
}

const LineageNodeType = builder.objectRef<Place>('LineageNode').implement({
  description: 'A DAG, a task or an asset.',
  authScopes: { read: true },
  fields: (t) => ({
    key: t.exposeString('key', { description: 'What edges name it by.' }),
    kind: t.expose('kind', { type: LineageKindEnum, description: 'What it is.' }),
    name: t.exposeString('name', { description: 'Of the asset, the DAG or the task.' }),
    dagId: t.exposeString('dagId', { nullable: true, description: 'Of a DAG or a task: that DAG’s name.' }),
  }),
});
const LineageEdgeType = builder.objectRef<Edge>('LineageEdge').implement({
  description: 'From a DAG to its task, from a task to what it updates, from an asset to the DAG that waits for it.',
  authScopes: { read: true },
  fields: (t) => ({
    from: t.exposeString('from', { description: 'Key of where it starts.' }),
    to: t.exposeString('to', { description: 'Key of where it leads.' }),
  }),
});
const LineageType = builder.objectRef<Graph>('Lineage').implement({
  description: 'What hangs together by assets.',
  authScopes: { read: true },
  fields: (t) => ({
    nodes: t.field({ type: [LineageNodeType], description: 'Places.', resolve: (graph) => graph.nodes }),
    edges: t.field({ type: [LineageEdgeType], description: 'Ways.', resolve: (graph) => graph.edges }),
    truncated: t.exposeBoolean('truncated', { description: 'There is more than is shown.' }),
  }),
});

/** Pure. A DAG shows the way from what it waits for to what its tasks update. */
export function graphOf(links: readonly AssetLink[], truncated: boolean): Graph {
  const nodes = new Map<string, Place>();
  const edges = new Map<string, Edge>();
  const place = (node: Place) => nodes.set(node.key, node);
  const way = (from: string, to: string) => edges.set(JSON.stringify([from, to]), { from, to });
  for (const { asset, dag, task_id: task } of links) {
    const [assetKey, dagKey, taskKey] = [`asset:${asset}`, `dag:${dag}`, `task:${dag}.${task}`];
    place({ key: assetKey, kind: 'asset', name: asset, dagId: null });
    place({ key: dagKey, kind: 'dag', name: dag, dagId: dag });
    if (task === null) {
      way(assetKey, dagKey);
      continue;
    }
    place({ key: taskKey, kind: 'task', name: task, dagId: dag });
    way(dagKey, taskKey);
    way(taskKey, assetKey);
  }
  return { nodes: [...nodes.values()], edges: [...edges.values()], truncated };
}

async function around(ctx: Context, start: readonly number[], depth: number): Promise<Graph> {
  const links = new Map<string, AssetLink>();
  const seenDags = new Set<number>();
  const seenAssets = new Set(start);
  let next = [...start];
  for (let step = 0; step <= depth && next.length > 0 && links.size < MOST_EDGES; step++) {
    const found = await listAssetLinks(ctx.db, next, MOST_EDGES - links.size);
    for (const link of found) links.set(JSON.stringify([link.asset_id, link.dag_id, link.task_id]), link);
    const dags = [...new Set(found.map((link) => link.dag_id))].filter((id) => !seenDags.has(id));
    for (const id of dags) seenDags.add(id);
    next = (await assetsOfDags(ctx.db, dags)).filter((id) => !seenAssets.has(id));
    for (const id of next) seenAssets.add(id);
  }
  return graphOf([...links.values()], next.length > 0 || links.size >= MOST_EDGES);
}

async function lineage(ctx: Context, args: { asset?: string | null; dagId?: string | null; depth?: number | null }) {
  const { asset, dagId, depth = MOST_DEPTH } = args;
  if (asset != null && dagId != null) throw badInput('Give "asset" or "dagId", not both.');
  if (asset == null && dagId == null) {
    const links = await listAssetLinks(ctx.db, null, MOST_EDGES + 1);
    return graphOf(links.slice(0, MOST_EDGES), links.length > MOST_EDGES);
  }
  const steps = Math.max(0, Math.min(depth ?? MOST_DEPTH, MOST_DEPTH));
  if (asset != null) {
    const row = await findAssetByName(ctx.db, asset);
    return around(ctx, row ? [row.id] : [], steps);
  }
  const dag = await findDagByName(ctx.db, dagId ?? '');
  return around(ctx, dag ? await assetsOfDags(ctx.db, [dag.id]) : [], steps);
}

builder.queryField('lineage', (t) =>
  t.field({
    type: LineageType,
    authScopes: { read: true },
    complexity: 50,
    description: 'What hangs together by assets: all of it, or what is around an asset or a DAG. At most 5,000 links.',
    args: {
      asset: t.arg.string({ description: 'Around this asset.' }),
      dagId: t.arg.string({ description: 'Around this DAG.' }),
      depth: t.arg.int({ description: 'How many DAGs away from there, at most 20; 0: only its next neighbours.' }),
    },
    resolve: (_root, args, ctx) => lineage(ctx, args),
  }),
);
