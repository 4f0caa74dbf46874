/** A DAG while it is being checked. */
import type { TaskSpec } from './dag-spec.ts';
import type { GroupEdges } from './group-edges.ts';
import type { ReadGroup } from './read-groups.ts';
import type { Report } from './spec-fields.ts';

export interface Graph {
  tasks: TaskSpec[];
  groups: ReadonlyMap<string, ReadGroup>;
  indexOf: ReadonlyMap<string, number>;
  /** Indexes of the upstreams of each task. */
  upstream: number[][];
  edges: GroupEdges;
  /** Where a task is written: `tasks[3]`, or its group for one that validation adds. */
  pathOf(index: number): string;
  report: Report;
  /** Groups stand for so many tasks that not all edges were made. */
  overflow: boolean;
}
