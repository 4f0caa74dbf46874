/** Starts a run of a DAG, once for each try of the task, whatever dies in between; then waits for its end where that is wanted. */
import type { TriggerDagTaskSpec } from '#sdk/dag-spec.ts';
import type { Dispatch, Json } from '#sdk/protocol.ts';
import { resolveParams } from '#sdk/params.ts';
import { isFinishedRunState } from '#sdk/states.ts';
import { findDag, findRun, wasEditedBy, type FoundRun } from '#db/queries/awaited-runs.ts';
import { runKeyOf, type DueWait } from '#db/queries/trigger-waits.ts';
import { createRender } from '../operators/prepare-launch.ts';
import { instantOf, renderJson } from '../operators/sensor.ts';
import { failed, type Settle, type SettleDeps, type Settled } from './triggerer-deps.ts';

interface Wanted {
  dagId: string;
  conf: { [key: string]: Json };
  runKey: string | null;
  logicalDate: Date | null;
}

/** Of a wait for a child's end. */
interface ChildWait {
  childId: number;
  runKey: string;
  dagId: string;
  allowedStates: string[];
  failedStates: string[];
  pokeInterval: number;
  cancelChild: boolean;
}

export const settleTriggerDag: Settle<TriggerDagTaskSpec> = async (deps, dispatch) => {
  const { task } = dispatch;
  const wanted = wantedRun(dispatch);
  const dag = await findDag(deps.db, wanted.dagId);
  if (!dag || dag.versionId === null) return failed('not_found', `There is no DAG '${wanted.dagId}'.`);
  const problem = await confProblem(deps, dag.versionId, wanted.conf);
  if (problem) return failed('awaited_failed', `The conf does not fit the params of '${wanted.dagId}': ${problem}`);
  const found = await startRun(deps, dispatch, dag.dagId, wanted);
  if ('outcome' in found) return found;
  if (!task.wait) return { outcome: 'success', cause: 'ok', xcoms: resultOf(found, wanted.dagId) };
  const spec: ChildWait = {
    childId: found.runId,
    runKey: found.runKey,
    dagId: wanted.dagId,
    allowedStates: task.allowedStates,
    failedStates: task.failedStates,
    pokeInterval: task.pokeInterval,
    cancelChild: task.cancelChild,
  };
  const left = task.timeout === null ? null : Math.max(0, task.timeout - (dispatch.waiting?.elapsed ?? 0));
  const timeoutSeconds = task.executionTimeout === null ? left : Math.min(left ?? Infinity, task.executionTimeout);
  const defer = { kind: 'trigger_dag', dueAt: null, timeoutSeconds, watchKey: runKeyOf(found.runId) };
  return { outcome: 'deferred', cause: 'ok', defer: { ...defer, spec: spec as unknown as { [key: string]: Json } } };
};

function wantedRun(dispatch: Dispatch & { task: TriggerDagTaskSpec }): Wanted {
  const { task } = dispatch;
  const render = createRender(dispatch);
  const text = (field: 'runKey' | 'logicalDate') => (task[field] === null ? null : render(field, task[field]).trim());
  const logicalDate = text('logicalDate');
  return {
    dagId: render('dagId', task.dagId).trim(),
    conf: renderJson(render, 'conf', task.conf) as Wanted['conf'],
    runKey: text('runKey') || null,
    logicalDate: logicalDate ? instantOf(logicalDate, 'logicalDate') : null,
  };
}

async function confProblem({ engine }: SettleDeps, versionId: number, conf: Wanted['conf']): Promise<string | null> {
  await engine.versions.load([versionId]);
  const resolved = resolveParams(engine.versions.get(versionId)?.params ?? null, conf);
  return resolved.ok ? null : resolved.issues.map(({ path, message }) => `params${path}: ${message}`).join(' ');
}

/** The run, or how the task ends without one. */
async function startRun(
  deps: SettleDeps,
  dispatch: Dispatch & { task: TriggerDagTaskSpec },
  dagId: number,
  { conf, runKey, logicalDate }: Wanted,
): Promise<FoundRun | Settled> {
  const { task, run } = dispatch;
  // The same for every launch of one try: what died after it had started the run finds it again
  const idempotencyKey = `trigger_dag:${run.runId}.${dispatch.taskId}.${dispatch.mapIndex}#${dispatch.tryNumber}`;
  const triggeredBy = `task ${dispatch.dagId}.${dispatch.taskId}, run ${run.runKey}`;
  const [created] = await deps.engine.createRuns([
    { dagId, kind: 'manual', conf, runKey, logicalDate, triggeredBy, idempotencyKey },
  ]);
  const found = created ? await findRun(deps.db, created.runId) : null;
  if (!found)
    return { outcome: 'failed', cause: 'awaited_failed', message: 'The run was deleted as soon as it was there.' };
  if (found.idempotencyKey === idempotencyKey || task.whenExists === 'use') return found;
  const message = `DAG '${task.dagId}' has a run '${found.runKey}' already: it is ${found.state}.`;
  const evidence = { runId: String(found.runId), dagId: task.dagId };
  if (task.whenExists === 'error') return failed('run_exists', message, evidence);
  if (task.whenExists === 'skip') return { outcome: 'skipped', cause: 'run_exists', message, evidence };
  // The clear stands in the run's events under this name, from the moment it is committed: a further launch of this try leaves it alone
  const actor = `${triggeredBy}, try ${dispatch.tryNumber}`;
  if (await wasEditedBy(deps.db, found.runId, actor)) return found;
  await deps.engine.editTasks({ runId: found.runId, action: 'clear', taskIds: null, actor });
  return { ...found, state: 'queued' };
}

const resultOf = ({ runId, runKey }: Pick<FoundRun, 'runId' | 'runKey'>, dagId: string) => ({
  trigger_run_id: runKey,
  return_value: { dagId, runId: String(runId), runKey },
});

/** Has the run ended? */
export async function lookAtChild({ db }: SettleDeps, wait: DueWait): Promise<{ wait: number } | { report: Settled }> {
  const spec = wait.spec as unknown as ChildWait;
  const { childId, runKey, dagId } = spec;
  const evidence = { runId: String(childId), runKey, dagId };
  const run = await findRun(db, childId);
  if (!run)
    return {
      report: failed('awaited_failed', `Run '${runKey}' of '${dagId}' is gone: somebody deleted it.`, evidence),
    };
  const state = { ...evidence, state: run.state };
  if (spec.failedStates.includes(run.state))
    return {
      report: {
        outcome: 'failed',
        cause: 'awaited_failed',
        message: `Run '${runKey}' of '${dagId}' ended as ${run.state}.`,
        evidence: state,
      },
    };
  if (spec.allowedStates.includes(run.state))
    return {
      report: { outcome: 'success', cause: 'ok', evidence: state, xcoms: resultOf({ runId: childId, runKey }, dagId) },
    };
  if (isFinishedRunState(run.state))
    return {
      report: failed(
        'awaited_failed',
        `Run '${runKey}' of '${dagId}' ended as ${run.state}, which is not allowed.`,
        state,
      ),
    };
  if (wait.secondsLeft !== null && wait.secondsLeft <= 0)
    return {
      report: failed('wait_timeout', `Run '${runKey}' of '${dagId}' has not ended in time; it is ${run.state}.`, state),
    };
  return { wait: spec.pokeInterval };
}

/** The task that started it was cancelled. */
export async function cancelChild({ engine }: SettleDeps, wait: DueWait): Promise<void> {
  const { childId } = wait.spec as unknown as ChildWait;
  // Looked at twice it must not cut off the teardowns that the first look left running
  const how = { as: 'cancelled', rest: 'cancelled', cause: 'cancelled', actor: `run ${wait.runId}` } as const;
  await engine.endRun({ ...how, runId: childId, reason: `The run that started it (${wait.runId}) was cancelled.` });
}
