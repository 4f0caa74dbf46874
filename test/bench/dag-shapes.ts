/** The DAGs that are run. Tasks do nothing: what is measured is everything around them. */
import type { DagSpec } from '#sdk/dag-spec.ts';
import { validateDagSpec } from '#sdk/validate-dag-spec.ts';

/** Upstreams by task id. */
type Graph = { [taskId: string]: string[] };

export type ShapeName = 'single' | 'chain10' | 'chain40' | 'parallel40' | 'diamond10' | 'layers';
export type TaskFlavour = 'no-op' | 'true';

const SHAPES: { [name in ShapeName]: () => Graph } = {
  single: () => ({ only: [] }),
  chain10: () => chain(10),
  chain40: () => chain(40),
  parallel40: () => Object.fromEntries(indexes(40).map((i) => [`task_${i}`, []])),
  diamond10: diamond,
  layers: () => layers(100, 100),
};

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

/** As a client would send it: defaults left out, limits that do not bind. */
export function dagInput(shape: ShapeName, flavour: TaskFlavour = 'no-op', maxActiveTasks = 100_000) {
  const command = flavour === 'true' ? '/bin/true' : ':';
  return {
    dagId: `bench_${shape}_${flavour.replace('-', '_')}`,
    maxActiveRuns: 10_000,
    maxActiveTasks,
    tasks: Object.entries(SHAPES[shape]()).map(([taskId, upstream]) => ({ taskId, kind: 'bash', command, upstream })),
  };
}

export function dagSpec(...args: Parameters<typeof dagInput>): DagSpec {
  const result = validateDagSpec(dagInput(...args));
  if (!result.ok) throw new Error(`The benchmark's DAG is not valid: ${JSON.stringify(result.issues)}`);
  return result.spec;
}

export const tasksOf = (shape: ShapeName): number => Object.keys(SHAPES[shape]()).length;
