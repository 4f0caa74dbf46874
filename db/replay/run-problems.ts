/** Whether a run's rows are what its events say, and nothing else than may be. */
import { isFinishedTaskState } from '#sdk/states.ts';
import { failedLeaves, replay, type Replay } from './event-replay.ts';
import { createFlowRules, instanceKey } from './flow-rules.ts';
import { slotProblems, weightOf } from './held-slots.ts';
import type { InstanceRow, Place, RunRecord } from './run-record.ts';

/** What is wrong with one run. */
export function problemsOf(record: RunRecord, replayed: Replay = replay(record)): string[] {
  return [
    ...replayed.problems.map(({ seq, text }) => `event ${seq} ${text}`),
    ...record.instances.flatMap((row) => instanceProblems(record, replayed, row)),
    ...runProblems(record, replayed),
    ...tryProblems(record, replayed),
    ...placeProblems(record),
    ...slotProblems(record),
  ];
}

const LIVE = new Set(['scheduled', 'queued', 'running', 'up_for_retry', 'up_for_reschedule', 'deferred']);

const keyOf = (place: { task_index: number; map_index: number }): string =>
  instanceKey({ taskIndex: place.task_index, mapIndex: place.map_index });

function instanceProblems({ spec, run, instances, branches }: RunRecord, replayed: Replay, row: InstanceRow): string[] {
  const name = `task ${keyOf(row)}`;
  const problems: string[] = [];
  const said = replayed.instances.get(keyOf(row));
  if (said?.state !== row.state || said.tryNumber !== row.try_number)
    problems.push(`${name} is ${row.state}#${row.try_number}, its events say ${said?.state}#${said?.tryNumber}`);
  if (LIVE.has(row.state) !== (row.deadline !== null))
    problems.push(`${name} is ${row.state} with deadline ${row.deadline}`);
  if (isFinishedTaskState(row.state) !== (row.ended !== null))
    problems.push(`${name} is ${row.state}, ended at ${row.ended}`);
  if ((row.state === 'running' || row.state === 'deferred') && row.dispatch_id === null)
    problems.push(`${name} runs without a dispatch`);
  // A run that was ended early stops counting; a person's hand counts afresh
  if (replayed.endedEarly) return problems;
  const rules = createFlowRules(spec);
  const known = instances.map((one) => ({ taskIndex: one.task_index, mapIndex: one.map_index, state: one.state }));
  const own = { taskIndex: row.task_index, mapIndex: row.map_index, state: row.state };
  const fresh = rules.counts(known, own).join();
  const kept = [row.up_total, row.up_success, row.up_failed, row.up_upstream_failed, row.up_skipped].join();
  if (fresh !== kept)
    problems.push(
      `${name} counts upstreams ${kept}, they are ${fresh} (total, success, failed, upstream_failed, skipped)`,
    );
  const verdict = rules.verdict([...replayed.instances.values()], own);
  if (row.state === 'none' && verdict !== null && run.state !== 'queued' && branches === 0)
    problems.push(`${name} still waits where its rule says ${verdict}`);
  return problems;
}

function runProblems({ run, spec, events, instances }: RunRecord, replayed: Replay): string[] {
  const said = [...replayed.instances.values()];
  const expected = {
    state: replayed.run,
    event_seq: events.length,
    tasks: said.length,
    remaining: said.filter((one) => !isFinishedTaskState(one.state)).length,
    active: said.filter((one) => one.state === 'queued' || one.state === 'running').length,
    failed_leaves: replayed.endedEarly ? run.failed_leaves : failedLeaves(spec, said),
    hasEnded: replayed.run === 'success' || replayed.run === 'failed' || replayed.run === 'cancelled',
  };
  const kept = { ...run, tasks: instances.length, hasEnded: run.ended !== null };
  const problems = Object.entries(expected).flatMap(([field, value]) =>
    kept[field as keyof typeof expected] === value
      ? []
      : [`the run's ${field} is ${kept[field as keyof typeof expected]}, should be ${value}`],
  );
  const outcome = run.end_as ?? (expected.failed_leaves > 0 ? 'failed' : 'success');
  if (expected.hasEnded && !replayed.endedEarly && run.state !== outcome)
    problems.push(`the run ended as ${run.state}, its leaves say ${outcome}`);
  return problems;
}

/** One accepted outcome per try, and the one that the events tell. */
function tryProblems({ tries }: RunRecord, replayed: Replay): string[] {
  const told = replayed.ended.map((one) => `${one.key}#${one.tryNumber} ${one.outcome}`).sort();
  const kept = tries.map((one) => `${keyOf(one)}#${one.try_number} ${one.outcome}`).sort();
  const problems =
    told.join() === kept.join() ? [] : [`task_try holds [${kept.join(', ')}], the events tell [${told.join(', ')}]`];
  for (const one of replayed.ended) {
    const row = tries.find((try_) => keyOf(try_) === one.key && try_.try_number === one.tryNumber);
    if (one.cause !== undefined && row && row.cause !== one.cause)
      problems.push(`try ${one.key}#${one.tryNumber} has cause ${row.cause}, the event says ${one.cause}`);
    if (row && row.cause === null) problems.push(`try ${one.key}#${one.tryNumber} ended without a cause`);
  }
  const dispatches = tries.map((one) => one.dispatch_id);
  if (new Set(dispatches).size !== dispatches.length || dispatches.includes(null))
    problems.push(`task_try repeats or lacks dispatches: ${dispatches.join(', ')}`);
  return problems;
}

/** A cluster has it, and its code has not begun. */
const isStarting = (row: InstanceRow): boolean => row.state === 'queued' && row.dispatch_id !== null;

const ranked = new Set(['ready_task', 'waiting_task']);

/** The ready, waiting and timer tables hold exactly what the states say. */
function placeProblems({ spec, instances, ready, waiting, timers, waits, launches }: RunRecord): string[] {
  const isMade = (row: InstanceRow) =>
    row.map_index === -1 && (spec.tasks[row.task_index]?.map != null || spec.tasks[row.task_index]?.kind === 'map');
  const compare = (table: string, places: Place[], ...states: string[]) => {
    const kept = places.map(keyOf).join();
    // What stands for a mapped unit stands in no line
    const expected = instances
      .filter((row) => states.includes(row.state) && !(row.state === 'scheduled' && isMade(row)) && !isStarting(row))
      .map(keyOf);
    const misplaced = places.filter((place) => {
      const task = spec.tasks[place.task_index];
      return (
        (ranked.has(table) && place.rank !== -(task ? weightOf(task, spec.tasks) : 0)) ||
        (table === 'ready_task' && place.queue !== task?.queue)
      );
    });
    return [
      ...(kept === expected.join() ? [] : [`${table} holds [${kept}], ${states.join(' and ')} are [${expected}]`]),
      ...misplaced.map((place) => `${table} holds task ${keyOf(place)} at rank ${place.rank} of queue ${place.queue}`),
    ];
  };
  const launched = new Set(launches.map((launch) => launch.dispatch_id));
  const dueAt = new Map(instances.map((row) => [keyOf(row), row.deadline]));
  return [
    ...instances.flatMap((row) =>
      isStarting(row) && !launched.has(row.dispatch_id ?? '')
        ? [`task ${keyOf(row)} has dispatch ${row.dispatch_id}, and no cluster has it`]
        : [],
    ),
    ...compare('ready_task', ready, 'queued'),
    ...compare('waiting_task', waiting, 'scheduled'),
    ...compare('task_timer', timers, 'up_for_retry', 'up_for_reschedule'),
    ...compare('trigger_wait', waits, 'deferred'),
    ...waits.flatMap((wait) =>
      instances.some((row) => keyOf(row) === keyOf(wait) && row.dispatch_id === wait.dispatch_id)
        ? []
        : [`the wait of task ${keyOf(wait)} is not of its dispatch`],
    ),
    ...timers.flatMap((timer) =>
      timer.due === dueAt.get(keyOf(timer)) ? [] : [`the timer of task ${keyOf(timer)} is not its deadline`],
    ),
  ];
}

/** The events around the first problem, for people. */
export function timeline({ spec, events }: RunRecord, { problems }: Replay): string {
  const at = (problems[0]?.seq ?? events.length) - 1;
  const shape = spec.tasks.map(
    (task, i) => `${i}(${task.kind === 'empty' ? 'empty ' : ''}${task.triggerRule} of ${task.upstream.join() || '-'})`,
  );
  const lines = events.slice(Math.max(0, at - 20), at + 20).map(({ run_seq, body }) => {
    const moves = (body.t ?? []).map(
      ([taskIndex, mapIndex, state, tryNumber, cause]) =>
        `${instanceKey({ taskIndex, mapIndex })} ${state}#${tryNumber}${cause ? ` ${cause}` : ''}`,
    );
    return `    ${run_seq}: ${[body.run && `run ${body.run}`, body.by && `by ${body.by}`, ...moves].filter(Boolean).join(', ')}`;
  });
  return [`  tasks ${shape.join(' ')}`, ...lines].join('\n');
}
