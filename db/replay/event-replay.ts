import { isFinishedRunState, isFinishedTaskState, type RunState, type TaskState } from '#sdk/states.ts';
import { createFlowRules, instanceKey } from './flow-rules.ts';
import type { EventRow, RunRecord, Transition } from './run-record.ts';

/** What the engine may do by itself. A person's hand (clear, mark) may also set any of BY_HAND, from any state. */
const MOVES: Partial<Record<TaskState, readonly TaskState[]>> = {
  none: ['scheduled', 'queued', 'running', 'success', 'skipped', 'upstream_failed', 'cancelled'],
  scheduled: ['queued', 'cancelled'],
  queued: ['running', 'queued', 'cancelled'],
  running: ['success', 'failed', 'skipped', 'up_for_retry', 'up_for_reschedule', 'deferred', 'queued', 'cancelled'],
  deferred: ['success', 'failed', 'skipped', 'up_for_retry', 'scheduled', 'cancelled'],
  up_for_retry: ['scheduled', 'cancelled'],
  up_for_reschedule: ['scheduled', 'cancelled'],
};
/** A cluster's tasks have a dispatch and stay queued until their code begins; they may end before it does. */
const STARTING_MOVES: readonly TaskState[] = [
  'running',
  'queued',
  'success',
  'failed',
  'skipped',
  'up_for_retry',
  'cancelled',
];
const BY_HAND: readonly TaskState[] = [
  'none',
  'scheduled',
  'success',
  'failed',
  'skipped',
  'upstream_failed',
  'cancelled',
  'removed',
];

const RUN_MOVES: Record<RunState | 'new', readonly RunState[]> = {
  new: ['queued'],
  queued: ['running', 'success', 'cancelled'],
  running: ['success', 'failed', 'cancelled'],
  success: [],
  failed: [],
  cancelled: [],
};

export interface ReplayedInstance {
  taskIndex: number;
  mapIndex: number;
  state: TaskState;
  tryNumber: number;
  /** Queued, and a cluster has it. */
  isStarting?: boolean;
}

/** A try that ended: by a report, an expired lease, or somebody's hand. */
export interface EndedTry {
  /** `3`, or `3.0` of a mapped one. */
  key: string;
  tryNumber: number;
  outcome: TaskState;
  /** Undefined: the event does not say. */
  cause?: string | null;
}

export interface Replay {
  instances: Map<string, ReplayedInstance>;
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
    instances: new Map(
      spec.tasks.map((_, i) => [`${i}`, { taskIndex: i, mapIndex: -1, state: 'none' as const, tryNumber: 0 }]),
    ),
    run: 'new',
    endedEarly: false,
    ended: [],
    runStates: [],
    problems: [],
  };
  const rules = createFlowRules(spec);
  let last: EventRow | undefined;
  for (const event of events) {
    const say = (text: string) => state.problems.push({ seq: event.run_seq, text });
    if (event.run_seq !== (last?.run_seq ?? 0) + 1) say(`follows ${last?.run_seq ?? 'nothing'}: run_seq is not dense`);
    if (last && event.at < last.at) say(`is ${last.at - event.at} µs older than the one before`);
    const transitions = event.body.t ?? [];
    const endsEarly = event.body.why !== undefined;
    const byHand = event.body.by !== undefined && event.body.t !== undefined && !endsEarly;
    const before = new Map([...state.instances].map(([key, instance]) => [key, { ...instance }]));
    if (event.body.run !== undefined) state.endedEarly = endsEarly;
    const expands = (index: number) => rules.unit[index] === index || spec.tasks[index]?.kind === 'map';
    applyTransitions(state, transitions, { byHand, endsEarly, say, expands });
    // One statement counts what ended into what waits. What that settles is counted by the next one, so it does not speak here yet
    const counted = [...state.instances].map(([key, after]) =>
      !byHand && before.get(key)?.state === 'none' ? before.get(key)! : after,
    );
    const step = { spec, rules, counted, before, byHand, say };
    if (!endsEarly) for (const transition of transitions) checkReadiness(step, transition);
    applyRunState(state, event, byHand, say);
    // The engine takes what stands for a mapped unit itself, within one transaction
    const holdsSlot = (one: ReplayedInstance) =>
      (one.state === 'queued' || one.state === 'running') && !(one.mapIndex === -1 && expands(one.taskIndex));
    const active = [...state.instances.values()].filter(holdsSlot).length;
    if (active > run.max_active_tasks) say(`${active} active tasks are more than ${run.max_active_tasks}`);
    if (active > 0 && state.run !== 'running') say(`${active} active tasks in a ${state.run} run`);
    last = event;
  }
  return state;
}

type Say = (text: string) => void;
interface Applying {
  byHand: boolean;
  endsEarly: boolean;
  say: Say;
  /** The engine makes instances of a unit by this task. */
  expands(taskIndex: number): boolean;
}

/** A run that is ended early takes along whatever has not ended. */
const mayEndEarly = (from: TaskState, to: TaskState): boolean =>
  !isFinishedTaskState(from) && (to === 'skipped' || to === 'cancelled');

function applyTransitions(state: Replay, transitions: Transition[], applying: Applying): void {
  const { byHand, endsEarly, say, expands } = applying;
  const seen = new Set<string>();
  const removed = new Map<string, ReplayedInstance>();
  for (const [taskIndex, mapIndex, to, tryNumber, cause] of transitions) {
    const key = instanceKey({ taskIndex, mapIndex });
    const instance = state.instances.get(key);
    if (seen.has(key)) say(`changes task ${key} twice`);
    seen.add(key);
    if (!instance) {
      // Instances take the place of the row that stood for them, as settled as it was
      const stoodFor = state.instances.get(`${taskIndex}`) ?? removed.get(`${taskIndex}`);
      const isMade = mapIndex >= 0 ? byHand || to === stoodFor?.state : byHand;
      if (!isMade) say(`names a task instance that does not exist: ${taskIndex}.${mapIndex}`);
      state.instances.set(key, { taskIndex, mapIndex, state: to, tryNumber });
      continue;
    }
    const from = instance.state;
    const { isStarting = false } = instance;
    const allowed = endsEarly
      ? mayEndEarly(from, to)
      : byHand
        ? BY_HAND.includes(to)
        : (isStarting ? STARTING_MOVES : (MOVES[from] ?? [])).includes(to) ||
          isExpansion(from, to, mapIndex, expands(taskIndex));
    if (!allowed) say(`moves task ${key} from ${from} to ${to}${byHand ? ' by hand' : ''}`);
    // What holds it back on its cluster is another thing now
    if (isStarting && to === 'queued' && tryNumber === instance.tryNumber) continue;
    const undone = undoes(from, to, byHand) || (isStarting && to === 'queued');
    const isClaim = !isStarting && (to === 'running' || (from === 'queued' && to === 'queued'));
    const expectedTry = instance.tryNumber + (isClaim ? 1 : undone ? -1 : 0);
    if (tryNumber !== expectedTry) say(`gives task ${key} try ${tryNumber} where ${expectedTry} was due`);
    const leftTry = from === 'running' || from === 'deferred' || (isStarting && to !== 'running');
    if (leftTry && !undone && to !== 'deferred')
      state.ended.push({ key, tryNumber, outcome: endOf(to), ...(byHand ? {} : { cause }) });
    if (to === 'removed') {
      state.instances.delete(key);
      removed.set(key, instance);
    } else state.instances.set(key, { ...instance, state: to, tryNumber, isStarting: isClaim && to === 'queued' });
  }
}

/** The try is as if it had never been claimed. */
const undoes = (from: TaskState, to: TaskState, byHand: boolean): boolean =>
  (from === 'running' && (to === 'queued' || to === 'up_for_reschedule')) ||
  (from === 'deferred' && to === 'scheduled' && !byHand);

/** The row that stands for a mapped unit gives way to instances, or is ended by the engine itself. */
const isExpansion = (from: TaskState, to: TaskState, mapIndex: number, expands: boolean): boolean =>
  mapIndex === -1 &&
  (['none', 'scheduled', 'skipped', 'upstream_failed'].includes(from) && to === 'removed'
    ? true
    : from === 'scheduled' && expands && to === 'running');

/** How task_try records a try that left `running` for this state. */
const endOf = (to: TaskState): TaskState =>
  to === 'up_for_retry' ? 'failed' : to === 'none' || to === 'scheduled' || to === 'removed' ? 'cancelled' : to;

interface Step {
  spec: RunRecord['spec'];
  rules: ReturnType<typeof createFlowRules>;
  counted: readonly ReplayedInstance[];
  before: ReadonlyMap<string, ReplayedInstance>;
  byHand: boolean;
  say: Say;
}

/** No task starts, and none is settled, before its rule says so by what is recorded. */
function checkReadiness(step: Step, [taskIndex, mapIndex, to, , cause]: Transition): void {
  const { spec, rules, counted, before, byHand, say } = step;
  const key = instanceKey({ taskIndex, mapIndex });
  const task = spec.tasks[taskIndex];
  const wasNone = before.get(key)?.state === 'none';
  const isQuiet = to === 'cancelled' || to === 'none' || to === 'removed';
  if (!task || isQuiet || (byHand ? to !== 'scheduled' : !wasNone)) return;
  // What a branch chose is not in the spec
  if (to === 'skipped' && cause === 'left_aside' && task.upstream.length > 0) return;
  const verdict = rules.verdict(counted, { taskIndex, mapIndex, state: 'none' });
  const starts = to === 'scheduled' || to === 'queued' || to === 'running' || to === 'success';
  if ((starts ? 'ready' : to) !== verdict)
    say(`${starts ? 'starts' : 'settles'} task ${key} (${task.triggerRule}) as ${to} where its rule says ${verdict}`);
  if (to === 'success' && task.kind !== 'empty') say(`task ${key} succeeds without having run`);
  if (starts && !byHand && task.kind === 'empty' && to !== 'success') say(`empty task ${key} is ${to}`);
}

export function failedLeaves(spec: RunRecord['spec'], instances: Iterable<ReplayedInstance>): number {
  const rules = createFlowRules(spec);
  const isFailure = (state: TaskState) => state === 'failed' || state === 'upstream_failed' || state === 'cancelled';
  return [...instances].filter(({ taskIndex, state }) => rules.isLeaf(taskIndex) && isFailure(state)).length;
}

function applyRunState(state: Replay, { body, at }: EventRow, byHand: boolean, say: Say): void {
  const to = body.run;
  const allDone = [...state.instances.values()].every((instance) => isFinishedTaskState(instance.state));
  if (to !== undefined) {
    const allowed = byHand
      ? to !== 'cancelled' && (to !== 'running' || state.run === 'running')
      : RUN_MOVES[state.run].includes(to) || (state.endedEarly && state.run === 'queued' && to === 'failed');
    if (!allowed) say(`moves the run from ${state.run} to ${to}${byHand ? ' by hand' : ''}`);
    if (to !== state.run) state.runStates.push({ at, state: to });
    state.run = to;
  }
  if (state.run !== 'new' && isFinishedRunState(state.run) !== allDone)
    say(`leaves the run ${state.run} with ${allDone ? 'all' : 'not all'} of its tasks finished`);
}
