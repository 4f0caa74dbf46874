/** The same graphs as a client sends them, and the files that hold them in TypeScript. */
import { fileURLToPath } from 'node:url';
import { GRAPHS, type ShapeName } from './graphs.ts';

/** How tasks do nothing: a call in the worker, `/bin/true`, or a TypeScript function in a warm child. */
export type TaskFlavour = 'call' | 'true' | 'typescript';

export interface DagChoice {
  shape: ShapeName;
  flavour: TaskFlavour;
  /** Limits that do not bind when absent. */
  maxActiveTasks?: number;
}

/** A spec with its defaults left out. */
export const dagInput = ({ shape, flavour, maxActiveTasks = 100_000 }: DagChoice) => ({
  dagId: `bench_${shape}`,
  maxActiveRuns: 10_000,
  maxActiveTasks,
  tasks: Object.entries(GRAPHS[shape]()).map(([taskId, upstream]) => ({
    taskId,
    kind: 'bash',
    command: flavour === 'true' ? '/bin/true' : ':',
    upstream,
  })),
});

const FILES: { [shape in ShapeName]?: string } = { single: 'single', layers: 'layers' };

export const dagFile = (shape: ShapeName): string =>
  fileURLToPath(new URL(`dags/${FILES[shape] ?? 'no-op'}.ts`, import.meta.url));
