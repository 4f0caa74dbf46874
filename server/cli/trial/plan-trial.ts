/** What `millrace test` runs: the DAG as it is, or one task of it with the results it is given. Pure. */
import type { DagSpec, TaskSpec } from '#sdk/dag-spec.ts';
import { didYouMean } from '#sdk/near-match.ts';
import type { Json } from '#sdk/protocol.ts';
import { isClusterQueue } from '#sdk/system-tasks.ts';
import { validateDagSpec, type SpecIssue } from '#sdk/validate-dag-spec.ts';
import { CommandError } from '../command-error.ts';

export interface TrialRequest {
  /** Only this task. */
  task?: string | undefined;
  /** And all that it depends on. */
  upstream?: boolean | undefined;
  /** Results of tasks that do not run, by the name of the input or of the task. */
  inputs: { [name: string]: Json };
  /** All tries that a task may have, instead of one. */
  tryAll: boolean;
}

export interface Trial {
  spec: DagSpec;
  /** Results by task and key, for the tasks that stand in for others: they are in GIVEN_QUEUE. */
  given: Map<string, { [key: string]: Json }>;
  /** The tasks that run: the first of the spec. */
  running: TaskSpec[];
  /** Inputs that nobody gave: the task finds null there. */
  missing: string[];
}

/** Of the tasks that do not run: their results are reported as given. */
export const GIVEN_QUEUE = '@given';

export function planTrial(spec: DagSpec, request: TrialRequest): Trial {
  const selected = request.task === undefined ? spec.tasks : selectTasks(spec, request.task, request.upstream === true);
  const kept = new Set(selected.map((task) => task.taskId));
  const given = giveResults(spec, selected, request.inputs);
  const outside = new Set(selected.flatMap((task) => task.upstream).filter((taskId) => !kept.has(taskId)));
  const standIns = spec.tasks.filter((task) => outside.has(task.taskId)).map(standInFor);
  const running = selected.map((task) => loosen(onWorker(request.tryAll ? task : { ...task, retries: 0 })));
  return {
    spec: alone({ ...spec, tasks: [...running, ...standIns] }),
    running,
    given,
    missing: missingInputs(selected, outside, given),
  };

  /** What became of upstreams that do not run is not for its trigger rule to judge. */
  function loosen(task: TaskSpec): TaskSpec {
    return task.upstream.some((taskId) => outside.has(taskId)) ? { ...task, triggerRule: 'all_done' } : task;
  }
}

/** A trial has no cluster: code for a Pod runs here, and a task that is a Pod says that it cannot. */
const onWorker = (task: TaskSpec): TaskSpec =>
  isClusterQueue(task.queue) ? { ...task, queue: 'default', ...('executor' in task && { executor: 'worker' }) } : task;

/** Nothing makes runs of its own, and nobody is told of a run that is only tried. */
export const alone = (spec: DagSpec): DagSpec => ({
  ...spec,
  schedule: null,
  catchup: false,
  pausedOnCreation: false,
  notify: [],
  deadline: [],
  tasks: spec.tasks.map((task) => ({ ...task, notify: [] })),
});

function selectTasks(spec: DagSpec, taskId: string, withUpstream: boolean): TaskSpec[] {
  const byId = new Map(spec.tasks.map((task) => [task.taskId, task]));
  const first = byId.get(taskId);
  if (!first)
    throw new CommandError(
      `DAG "${spec.dagId}" has no task "${taskId}".${didYouMean(taskId, byId.keys())} It has ${[...byId.keys()].slice(0, 20).join(', ')}.`,
    );
  const found = new Set([first]);
  if (withUpstream)
    for (const task of found)
      for (const upstream of task.upstream) {
        const next = byId.get(upstream);
        if (next) found.add(next);
      }
  return spec.tasks.filter((task) => found.has(task));
}

/** A name is that of an input of a task that runs, or that of an upstream of one. */
function giveResults(spec: DagSpec, selected: TaskSpec[], inputs: { [name: string]: Json }): Trial['given'] {
  const given = new Map<string, { [key: string]: Json }>();
  const kept = new Set(selected.map((task) => task.taskId));
  const sources = new Map<string, { task: string; key: string }>();
  for (const task of selected) {
    for (const taskId of task.upstream)
      if (!kept.has(taskId)) sources.set(taskId, { task: taskId, key: 'return_value' });
    for (const [name, input] of Object.entries(task.inputs)) if (!kept.has(input.task)) sources.set(name, input);
  }
  for (const [name, value] of Object.entries(inputs)) {
    const source = sources.get(name);
    if (!source) throw new CommandError(unknownInput(spec, name, selected, [...sources.keys()]));
    given.set(source.task, { ...given.get(source.task), [source.key]: value });
  }
  return given;
}

function unknownInput(spec: DagSpec, name: string, selected: TaskSpec[], known: string[]): string {
  if (selected.some((task) => task.taskId === name)) return `--input ${name}: the task "${name}" runs itself.`;
  if (selected.length === spec.tasks.length)
    return `--input ${name}: all tasks run, so no result can be given. Name one with --task.`;
  const choice = known.length > 0 ? ` There are ${known.join(', ')}.` : ' The task takes none.';
  return `--input ${name}: there is no such input or upstream.${didYouMean(name, known)}${choice}`;
}

function missingInputs(selected: TaskSpec[], outside: Set<string>, given: Trial['given']): string[] {
  const isMissing = ({ task, key }: { task: string; key: string }) =>
    outside.has(task) && given.get(task)?.[key] === undefined;
  return selected.flatMap((task) =>
    Object.entries(task.inputs).flatMap(([name, input]) => (isMissing(input) ? [name] : [])),
  );
}

/** Does nothing, with every field at its default. */
function standInFor({ taskId }: TaskSpec): TaskSpec {
  const made = validateDagSpec({ dagId: 'stand_in', tasks: [{ taskId, kind: 'bash', command: 'true' }] });
  if (!made.ok) throw new Error(made.issues.map((issue) => issue.message).join(' '));
  return { ...made.spec.tasks[0]!, queue: GIVEN_QUEUE };
}

/** What a part of a DAG lacks because it refers to another part. */
export function planIssues({ spec }: Trial): SpecIssue[] {
  // The queue of the stand-ins is no name that a person may use.
  const tasks = spec.tasks.map((task) => (task.queue === GIVEN_QUEUE ? { ...task, queue: 'default' } : task));
  const checked = validateDagSpec({ ...spec, tasks });
  return checked.ok ? [] : checked.issues;
}
