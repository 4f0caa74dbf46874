import type { DagSpec } from '#sdk/dag-spec.ts';
import type { Json } from '#sdk/protocol.ts';
import type { RunKind, RunState, TaskState } from '#sdk/states.ts';

/** Everything that the database holds about one run, read in one snapshot. Times are microseconds. */
export interface RunRecord {
  run: {
    id: number;
    dag_id: number;
    state: RunState;
    kind: RunKind;
    remaining: number;
    active: number;
    failed_leaves: number;
    end_as: RunState | null;
    event_seq: number;
    max_active_tasks: number;
    max_active_runs: number;
    started: number | null;
    ended: number | null;
  };
  spec: DagSpec;
  events: EventRow[];
  instances: InstanceRow[];
  tries: TryRow[];
  ready: Place[];
  waiting: Place[];
  timers: (Place & { due: number })[];
  waits: (Place & { dispatch_id: string })[];
  /** What clusters have, or had. */
  launches: { dispatch_id: string }[];
  /** Choices on record. */
  branches: number;
  held: HeldRow[];
  /** Params and conf of the run. */
  values: { params: { [key: string]: Json }; conf: { [key: string]: Json } };
}

export interface HeldRow {
  gate: string;
  task_index: number;
  map_index: number;
  slots: number;
}

export type Transition = [
  taskIndex: number,
  mapIndex: number,
  state: TaskState,
  tryNumber: number,
  cause?: string | null,
];

export interface EventRow {
  run_seq: number;
  at: number;
  body: { t?: Transition[]; run?: RunState; by?: string; why?: string };
}

export interface InstanceRow {
  task_index: number;
  map_index: number;
  state: TaskState;
  try_number: number;
  max_tries: number;
  up_total: number;
  up_success: number;
  up_failed: number;
  up_upstream_failed: number;
  up_skipped: number;
  dispatch_id: string | null;
  deadline: number | null;
  ended: number | null;
}

export interface TryRow {
  task_index: number;
  map_index: number;
  try_number: number;
  dispatch_id: string | null;
  outcome: TaskState;
  cause: string | null;
}

export interface Place {
  task_index: number;
  map_index: number;
  rank: number;
  queue: string;
}
