/** Writes what a hand on a run has come to. The run is locked. */
import type { RunState, TaskCause } from '#sdk/states.ts';
import { ADMIT_TASKS } from '#db/queries/task-transitions/admit-tasks.ts';
import { APPLY_EDIT } from '#db/queries/task-transitions/apply-edit.ts';
import type { Queryable } from '#db/queries/task-transitions/statement.ts';
import { keyOf, type Instance, type RunEdit } from './edit-run.ts';

export interface EditRecord {
  runId: number;
  /** Keys of the instances that it was about; the others follow from them. */
  targets: ReadonlySet<string>;
  runState: RunState;
  actor: string;
  /** Of the tries that are cut short. */
  cause: TaskCause;
  /** Runs that tasks started and take along are cancelled with them: the run itself is being ended. */
  takesAlong: boolean;
}

export async function writeEdit(client: Queryable, edit: RunEdit, record: EditRecord): Promise<void> {
  const { totals } = edit;
  const removed = edit.removed.map((instance): Instance => ({ ...instance, state: 'removed' }));
  const rows = [...edit.changed, ...removed];
  const column = <T>(pick: (instance: Instance) => T): T[] => rows.map(pick);
  await client.query({
    ...APPLY_EDIT,
    values: [
      record.runId,
      column((instance) => instance.taskIndex),
      column((instance) => instance.mapIndex),
      column((instance) => instance.state),
      column((instance) => instance.tryNumber),
      column((instance) => instance.maxTries),
      column((instance) => instance.counts.total),
      column((instance) => instance.counts.success),
      column((instance) => instance.counts.failed),
      column((instance) => instance.counts.upstreamFailed),
      column((instance) => instance.counts.skipped),
      column((instance) => record.targets.has(keyOf(instance)) || instance.state === 'removed'),
      column((instance) => edit.made.has(instance)),
      totals.remaining,
      totals.active,
      totals.failedLeaves,
      record.runState,
      record.actor,
      record.cause,
      record.takesAlong,
    ],
  });
  await client.query({ ...ADMIT_TASKS, values: [[record.runId]] });
}
