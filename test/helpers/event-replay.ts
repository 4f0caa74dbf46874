import type { DagSpec, TaskSpec } from '../../sdk/dag-spec.ts';
import { isFinishedRunState, isFinishedTaskState, type RunState, type TaskState } from '../../sdk/states.ts';
import { airflowVerdict, countStates } from './airflow-rules.ts';
import type { EventRow, RunRecord, Transition } from './run-record.ts';

/** What the engine may do by itself. A person's hand (clear, mark) may also set any of BY_HAND, from any state. */
const MOVES: Partial<Record<TaskState, readonly TaskState[]>> = {
  none: ['scheduled', 'queued', 'running', 'success', 'skipped', 'upstream_failed', 'cancelled'],
  scheduled: ['queued', 'cancelled'],
  queued: ['running', 'cancelled'],
  running: ['success', 'failed', 'skipped', 'up_for_retry', 'up_for_reschedule', 'deferred', 'queued', 'cancelled'],
  deferred: ['success', 'failed', 'skipped', 'up_for_retry', 'scheduled', 'cancelled'],
  up_for_retry: ['scheduled', 'cancelled'],
  up_for_reschedule: ['scheduled', 'cancelled'],
};
const BY_HAND: readonly TaskState[] = ['none', 'scheduled', 'success', 'failed', 'skipped', 'upstream_failed'];

const RUN_MOVES: Record<RunState | 'new', readonly RunState[]> = {
  new: ['queued'],
  queued: ['running', 'success', 'cancelled'],
  running: ['success', 'failed', 'cancelled'],
  success: [],
  failed: [],
  cancelled: [],
};

export interface ReplayedInstance {
  state: TaskState;
  tryNumber: number;
}

/** A try that ended: by a report, an expired lease, or somebody's hand. */
export interface EndedTry {
  taskIndex: number;
  tryNumber: number;
  outcome: TaskState;
  /** Undefined: the event does not say. */
  cause?: string | null;
}

export interface Replay {
  /** By task index. */
  instances: ReplayedInstance[];
  run: RunState | 'new';
  /** Its last change of state was an end ahead of its tasks. */
  endedEarly: boolean;
  ended: EndedTry[];
  /** Every change of the run's state with its time. */
  runStates: { at: number; state: RunState }[];
  problems: { seq: number; text: string }[];
}

/** Applies a run's events in order, from nothing. Says what no engine may do. Knows nothing of the rows. */
export function replay({ run, spec, events }: Pick<RunRecord, 'run' | 'spec' | 'events'>): Replay {
  const state: Replay = {
    instances: spec.tasks.map(() => ({ state: 'none', tryNumber: 0 })),
    run: 'new',
    endedEarly: false,
    ended: [],
    runStates: [],
    problems: [],
  };
  let last: EventRow | undefined;
  for (const event of events) {
    const say = (text: string) => state.problems.push({ seq: event.run_seq, text });
    if (event.run_seq !== (last?.run_seq ?? 0) + 1) say(`follows ${last?.run_seq ?? 'nothing'}: run_seq is not dense`);
    if (last && event.at < last.at) say(`is ${last.at - event.at} µs older than the one before`);
    const transitions = event.body.t ?? [];
    const endsEarly = event.body.why !== undefined;
    const byHand = event.body.by !== undefined && event.body.t !== undefined && !endsEarly;
    const before = state.instances.map((instance) => ({ ...instance }));
    if (event.body.run !== undefined) state.endedEarly = endsEarly;
    applyTransitions(state, transitions, byHand, say, endsEarly);
    // One statement counts what ended into what waits. What that settles is counted by the next one, so it does not speak here yet
    const counted = byHand ? state.instances : state.instances.map((after, i) => waitingBefore(before, i) ?? after);
    if (!endsEarly)
      for (const transition of transitions) checkReadiness(spec, counted, { transition, before, byHand, say });
    applyRunState(state, event, byHand, say);
    const active = state.instances.filter((one) => one.state === 'queued' || one.state === 'running').length;
    if (active > run.max_active_tasks) say(`${active} active tasks are more than ${run.max_active_tasks}`);
    if (active > 0 && state.run !== 'running') say(`${active} active tasks in a ${state.run} run`);
    last = event;
  }
  return state;
}

const waitingBefore = (before: readonly ReplayedInstance[], i: number) =>
  before[i]?.state === 'none' ? before[i] : undefined;

type Say = (text: string) => void;

/** A run that is ended early takes along whatever has not ended. */
const mayEndEarly = (from: TaskState, to: TaskState): boolean =>
  !isFinishedTaskState(from) && (to === 'skipped' || to === 'cancelled');

function applyTransitions(
  state: Replay,
  transitions: Transition[],
  byHand: boolean,
  say: Say,
  endsEarly: boolean,
): void {
  const seen = new Set<number>();
  for (const [index, mapIndex, to, tryNumber, cause] of transitions) {
    const instance = state.instances[index];
    if (!instance || mapIndex !== -1) {
      say(`names a task instance that does not exist: ${index}.${mapIndex}`);
      continue;
    }
    if (seen.has(index)) say(`changes task ${index} twice`);
    seen.add(index);
    const from = instance.state;
    const allowed = endsEarly ? mayEndEarly(from, to) : byHand ? BY_HAND.includes(to) : MOVES[from]?.includes(to);
    if (!allowed) say(`moves task ${index} from ${from} to ${to}${byHand ? ' by hand' : ''}`);
    const undone = undoes(from, to, byHand);
    const expectedTry = instance.tryNumber + (to === 'running' ? 1 : undone ? -1 : 0);
    if (tryNumber !== expectedTry) say(`gives task ${index} try ${tryNumber} where ${expectedTry} was due`);
    if ((from === 'running' || from === 'deferred') && !undone && to !== 'deferred') {
      state.ended.push({
        taskIndex: index,
        tryNumber,
        outcome: endOf(to),
        ...(byHand ? {} : { cause }),
      });
    }
    state.instances[index] = { state: to, tryNumber };
  }
}

/** The try is as if it had never been claimed. */
const undoes = (from: TaskState, to: TaskState, byHand: boolean): boolean =>
  (from === 'running' && (to === 'queued' || to === 'up_for_reschedule')) ||
  (from === 'deferred' && to === 'scheduled' && !byHand);

/** How task_try records a try that left `running` for this state. */
const endOf = (to: TaskState): TaskState =>
  to === 'up_for_retry' ? 'failed' : to === 'none' || to === 'scheduled' ? 'cancelled' : to;

interface Step {
  transition: Transition;
  before: ReplayedInstance[];
  byHand: boolean;
  say: Say;
}

/** No task starts, and none is settled, before its rule says so by what is recorded. */
function checkReadiness(
  spec: DagSpec,
  counted: readonly ReplayedInstance[],
  { transition, before, byHand, say }: Step,
): void {
  const [index, , to] = transition;
  const task = spec.tasks[index];
  const wasNone = before[index]?.state === 'none';
  if (!task || to === 'cancelled' || to === 'none' || (byHand ? to !== 'scheduled' : !wasNone)) return;
  const verdict = verdictOf(spec, task, counted);
  const starts = to === 'scheduled' || to === 'queued' || to === 'running' || to === 'success';
  if ((starts ? 'ready' : to) !== verdict) {
    say(`${starts ? 'starts' : 'settles'} task ${index} (${task.triggerRule}) as ${to} where its rule says ${verdict}`);
  }
  if (to === 'success' && task.kind !== 'empty') say(`task ${index} succeeds without having run`);
  if (starts && !byHand && task.kind === 'empty' && to !== 'success') say(`empty task ${index} is ${to}`);
}

export function verdictOf(spec: DagSpec, task: TaskSpec, instances: readonly ReplayedInstance[]) {
  const indexOf = new Map(spec.tasks.map((one, i) => [one.taskId, i]));
  const upstreams = task.upstream.map((id) => instances[indexOf.get(id) ?? -1]?.state ?? 'none');
  return airflowVerdict(task.triggerRule, countStates(upstreams));
}

export function failedLeaves(spec: DagSpec, instances: readonly ReplayedInstance[]): number {
  const parents = new Set(spec.tasks.flatMap((task) => task.upstream));
  const isFailure = (state: TaskState | undefined) =>
    state === 'failed' || state === 'upstream_failed' || state === 'cancelled';
  return spec.tasks.filter((task, i) => !parents.has(task.taskId) && isFailure(instances[i]?.state)).length;
}

function applyRunState(state: Replay, { body, at }: EventRow, byHand: boolean, say: Say): void {
  const to = body.run;
  const allDone = state.instances.every((instance) => isFinishedTaskState(instance.state));
  if (to !== undefined) {
    const allowed = byHand
      ? to !== 'cancelled' && (to !== 'running' || state.run === 'running')
      : RUN_MOVES[state.run].includes(to);
    if (!allowed) say(`moves the run from ${state.run} to ${to}${byHand ? ' by hand' : ''}`);
    if (to !== state.run) state.runStates.push({ at, state: to });
    state.run = to;
  }
  if (state.run !== 'new' && isFinishedRunState(state.run) !== allDone)
    say(`leaves the run ${state.run} with ${allDone ? 'all' : 'not all'} of its tasks finished`);
}
