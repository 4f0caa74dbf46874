/** The graphs that are run: upstreams by task id. No imports: DAG files carry this with them. */
export type Graph = { [taskId: string]: string[] };

const indexes = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

const chain = (n: number): Graph =>
  Object.fromEntries(indexes(n).map((i) => [`task_${i}`, i === 0 ? [] : [`task_${i - 1}`]]));

function diamond(): Graph {
  const middle = indexes(8).map((i) => `middle_${i}`);
  return { first: [], ...Object.fromEntries(middle.map((id) => [id, ['first']])), last: middle };
}

/** Each task of a layer waits for one or, every second one, for two tasks of the layer before. */
function layers(depth: number, width: number): Graph {
  const id = (layer: number, i: number) => `layer_${layer}_task_${i % width}`;
  const upstreams = (layer: number, i: number) => {
    if (layer === 0) return [];
    return i % 2 === 0 ? [id(layer - 1, i)] : [id(layer - 1, i), id(layer - 1, i + 7)];
  };
  return Object.fromEntries(
    indexes(depth).flatMap((layer) => indexes(width).map((i) => [id(layer, i), upstreams(layer, i)])),
  );
}

export const GRAPHS = {
  single: () => ({ only: [] }),
  chain10: () => chain(10),
  chain40: () => chain(40),
  parallel40: () => Object.fromEntries(indexes(40).map((i) => [`task_${i}`, []])),
  diamond10: diamond,
  layers: () => layers(100, 100),
} satisfies { [name: string]: () => Graph };

export type ShapeName = keyof typeof GRAPHS;

export const tasksOf = (shape: ShapeName): number => Object.keys(GRAPHS[shape]()).length;
