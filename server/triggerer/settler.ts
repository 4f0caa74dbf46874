/** What stands where an ordinary worker has its supervisor: tasks of the system are settled in this process, since no code of a user runs. */
import type { TaskSpec } from '#sdk/dag-spec.ts';
import type { Dispatch } from '#sdk/protocol.ts';
import { TemplateError } from '../operators/render-template.ts';
import type { RunnerEvent, SupervisorClient } from '../runner/supervisor-client.ts';
import { settleApproval } from './settle-approval.ts';
import { settleLatestOnly } from './settle-latest-only.ts';
import { settleSensor } from './settle-sensor.ts';
import { settleTriggerDag } from './settle-trigger-dag.ts';
import { failed, type Settle, type SettleDeps, type Settled } from './triggerer-deps.ts';

const KINDS: { [kind: string]: Settle<never> } = {
  sensor: settleSensor,
  trigger_dag: settleTriggerDag,
  approval: settleApproval,
  latest_only: settleLatestOnly,
};

export interface SettlerDeps extends SettleDeps {
  onEvent(event: RunnerEvent): void;
  onError(error: unknown): void;
}

export function createSettler({ onEvent, onError, ...deps }: SettlerDeps): SupervisorClient {
  const running = new Map<string, Promise<void>>();

  const settle = async (dispatch: Dispatch) => {
    const { dispatchId } = dispatch;
    let settled: Settled;
    try {
      settled = await settleTask(deps, dispatch);
    } catch (error) {
      settled = unexpected(error);
      if (settled.outcome === 'released') onError(error);
    }
    running.delete(dispatchId);
    onEvent({ type: 'finished', report: { ...settled, dispatchId, logBytes: 0 } });
  };

  return {
    start: (dispatch) => void running.set(dispatch.dispatchId, settle(dispatch)),
    // Over in a moment, and its report will be refused
    cancel: () => undefined,
    running: () => [...running.keys()],
    drain: async () => void (await Promise.all(running.values())),
    handBack: () => undefined,
    stop: async () => void (await Promise.all(running.values())),
    setPaused: () => undefined,
    pid: () => process.pid,
  };
}

function settleTask(deps: SettleDeps, dispatch: Dispatch): Promise<Settled> {
  const missing = Object.entries(dispatch.unreadable)[0];
  if (missing) return Promise.resolve(failed('value_missing', missing[1]));
  const settle = Object.hasOwn(KINDS, dispatch.task.kind) ? KINDS[dispatch.task.kind] : undefined;
  if (!settle)
    return Promise.resolve(failed('start_failed', `The service does not settle ${dispatch.task.kind} tasks.`));
  return (settle as Settle<TaskSpec>)(deps, dispatch);
}

/** A database that is away costs no try: the task goes back to the line. */
function unexpected(error: unknown): Settled {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof TemplateError) return failed('template_error', message);
  if (error instanceof Error && error.constructor === Error && !('code' in error))
    return failed('start_failed', message);
  return { outcome: 'released', cause: 'interrupted', message };
}
