/** States of a task instance, in the database's order. */
export const TASK_STATES = [
  'none',
  'scheduled',
  'queued',
  'running',
  'success',
  'failed',
  'skipped',
  'upstream_failed',
  'up_for_retry',
  'up_for_reschedule',
  'deferred',
  'cancelled',
  'removed',
] as const;
export type TaskState = (typeof TASK_STATES)[number];

/** States of a DAG run. */
export const RUN_STATES = ['queued', 'running', 'success', 'failed', 'cancelled'] as const;
export type RunState = (typeof RUN_STATES)[number];

/** Where a run comes from. */
export const RUN_KINDS = ['manual', 'scheduled', 'backfill', 'asset'] as const;
export type RunKind = (typeof RUN_KINDS)[number];

const FINISHED_TASK_STATES: ReadonlySet<TaskState> = new Set([
  'success',
  'failed',
  'skipped',
  'upstream_failed',
  'cancelled',
  'removed',
]);
const FINISHED_RUN_STATES: ReadonlySet<RunState> = new Set(['success', 'failed', 'cancelled']);

/** True when nothing will change this state but a person's hand. */
export const isFinishedTaskState = (state: TaskState): boolean => FINISHED_TASK_STATES.has(state);
/** True when the run has ended. */
export const isFinishedRunState = (state: RunState): boolean => FINISHED_RUN_STATES.has(state);

/**
 * Why a try ended. Every finished try has one; nothing is "killed externally".
 * `ok` is the cause of a success.
 */
export const TASK_CAUSES = [
  'ok',
  'exit_code',
  'exception',
  'oom_killed',
  'oom_suspected',
  'output_limit',
  'timeout',
  'cancelled',
  'run_timeout',
  'fail_fast',
  'interrupted',
  'lease_expired',
  'worker_lost',
  'dispatch_exhausted',
  'start_failed',
  'interpreter_missing',
  'template_error',
  'value_missing',
  'bundle_unavailable',
  'request_failed',
  'unexpected_answer',
  'database_unreachable',
  'database_error',
  'result_invalid',
  'result_unavailable',
  'branch_invalid',
  'skipped_by_task',
  'map_empty',
  'map_invalid',
  'marked',
  'wait_timeout',
  'poke_failed',
  'awaited_failed',
  'run_exists',
  'not_found',
  'rejected',
  'evicted',
  'preempted',
  'node_lost',
  'pod_deleted',
  'image_pull',
  'config_error',
  'init_failed',
  'rejected_by_cluster',
  'rejected_by_policy',
  'resource_failed',
  'resource_deleted',
  'start_timeout',
] as const;
export type TaskCause = (typeof TASK_CAUSES)[number];

/** The task did nothing wrong: what it ran on failed. */
export const INFRA_CAUSES = [
  'lease_expired',
  'worker_lost',
  'interrupted',
  'dispatch_exhausted',
  'start_failed',
  'bundle_unavailable',
  'evicted',
  'preempted',
  'node_lost',
  'pod_deleted',
  'resource_deleted',
] as const satisfies readonly TaskCause[];
const INFRA: ReadonlySet<TaskCause> = new Set(INFRA_CAUSES);
export const isInfraCause = (cause: TaskCause): boolean => INFRA.has(cause);
