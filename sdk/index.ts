/** What DAG authors import. */
export { dag } from './dag.ts';
export { label } from './flow-types.ts';
export type { GroupOptions, GroupRef } from './flow-types.ts';
export { concat, each, eachOf, zip, zipLongest } from './lists.ts';
export type { Each, EachOf, JoinedList, ListOf } from './lists.ts';
export { done, failTask, skipTask } from './run-task.ts';
export { TRIGGER_RULES } from './dag-spec.ts';
export type { DagSpec, TaskSpec, TriggerRule } from './dag-spec.ts';
export type { ParamsSchema } from './params-types.ts';
export type { Json, RunContext } from './protocol.ts';
export type { Dag, DagOptions, Duration, TaskContext, TaskOptions, TaskRef } from './task-types.ts';
export type { HttpOptions, SqlOptions } from './operator-types.ts';
export type { PodOptions, PodTaskOptions, ResourceOptions } from './kubernetes-options.ts';
export type * as kubernetes from './kubernetes-types.generated.ts';
