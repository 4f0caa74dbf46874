/** What DAG authors import. */
export { dag } from './dag.ts';
export { done, failTask, skipTask } from './run-task.ts';
export { TRIGGER_RULES } from './dag-spec.ts';
export type { DagSpec, TaskSpec, TriggerRule } from './dag-spec.ts';
export type { Json, RunContext } from './protocol.ts';
export type { Dag, DagOptions, Duration, ParamsSchema, TaskContext, TaskOptions, TaskRef } from './task-types.ts';
export type { HttpOptions, SqlOptions } from './operator-types.ts';
