/** One look for tasks, or for a whole run, of another DAG. */
import type { Db } from '#db/client.ts';
import { findDag, findRunOfDate, statesOfTasks, unknownTasks } from '#db/queries/awaited-runs.ts';
import type { Look, PokeRules } from '#sdk/poke.ts';
import type { RunState, TaskState } from '#sdk/states.ts';
import type { TaskTarget } from '#sdk/waiting-spec.ts';
import { failed, type Settled } from './triggerer-deps.ts';

export type TaskLook = Look | { ends(rules: PokeRules): Settled };

/** Why it can never come; null: it can. */
export async function missingTarget(db: Db, { dagId, taskIds }: TaskTarget): Promise<string | null> {
  const dag = await findDag(db, dagId);
  if (!dag || dag.versionId === null) return `There is no DAG '${dagId}'.`;
  const unknown = await unknownTasks(db, dag.versionId, taskIds);
  return unknown.length > 0 ? `DAG '${dagId}' has no task '${unknown.join("', '")}'.` : null;
}

export async function lookForTask(db: Db, target: TaskTarget): Promise<TaskLook> {
  const dag = await findDag(db, target.dagId);
  if (!dag) return { found: false, note: `there is no DAG '${target.dagId}'` };
  const run = await findRunOfDate(db, dag.dagId, new Date(target.at ?? 0));
  if (!run) return { found: false, note: `there is no run of ${target.dagId} for ${target.at}` };
  const states =
    target.taskIds.length === 0
      ? [{ taskId: `run of ${target.dagId}`, state: run.state }]
      : await statesOfTasks(db, run, target.taskIds);
  return judgeStates(target, states, String(run.runId));
}

/** Pure. One that may not be so decides at once; all must be as they are allowed to be. */
export function judgeStates(
  target: Pick<TaskTarget, 'dagId' | 'taskIds' | 'allowedStates' | 'failedStates' | 'skippedStates'>,
  states: readonly { taskId: string; state: TaskState | RunState }[],
  runId: string,
): TaskLook {
  const inOneOf = (list: readonly string[]) => states.find(({ state }) => list.includes(state));
  const bad = inOneOf(target.failedStates);
  if (bad) {
    const message = `${bad.taskId} is ${bad.state} in run ${runId} of ${target.dagId}.`;
    const end = failed('awaited_failed', message, { runId, dagId: target.dagId, state: bad.state });
    return { ends: ({ softFail }) => (softFail ? { ...end, outcome: 'skipped' } : end) };
  }
  const skipped = inOneOf(target.skippedStates);
  if (skipped) {
    const message = `${skipped.taskId} is ${skipped.state} in run ${runId} of ${target.dagId}.`;
    return { ends: () => ({ outcome: 'skipped', cause: 'skipped_by_task', message }) };
  }
  const names = target.taskIds.length === 0 ? states.map(({ taskId }) => taskId) : target.taskIds;
  const missing = names.find((name) => !states.some(({ taskId }) => taskId === name));
  if (missing !== undefined) return { found: false, note: `run ${runId} has no task '${missing}'` };
  const open = states.find(({ state }) => !target.allowedStates.includes(state));
  if (open) return { found: false, note: `${open.taskId} is ${open.state}` };
  return { found: true, value: { runId } };
}
