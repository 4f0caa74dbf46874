/** Why task instances wait: gathers the facts that their states ask for, and no others. */
import { clusterOfQueue } from '#sdk/system-tasks.ts';
import type { Db } from '#db/client.ts';
import type { TaskKey } from '#db/queries/task-instances.ts';
import {
  countUnfinished,
  findClusterFacts,
  findGates,
  findQueueFacts,
  findWaiting,
  type WaitingRow,
} from '#db/queries/waiting-facts.ts';
import { taskWaitingReason, type ClusterFacts, type QueueFacts, type WaitingReason } from './waiting-reason.ts';
import type { Versions } from './versions.ts';

const NO_QUEUE: QueueFacts = { online: 0, slots: 0, running: 0, paused: null };

/** In the order of `keys`; null: it does not wait, or there is none. */
export async function explainWaiting(
  db: Db,
  versions: Versions,
  keys: readonly TaskKey[],
): Promise<(WaitingReason | null)[]> {
  const rows = await findWaiting(db, keys);
  await versions.loadRuns(rows.map((row) => row.run_id));
  const taskOf = (row: WaitingRow) => versions.ofRun(row.run_id)?.tasks[row.task_index];
  const upstreamsOf = (row: WaitingRow) => [...(versions.ofRun(row.run_id)?.upstreams[row.task_index] ?? [])];
  const setOf = (row: WaitingRow) => versions.ofRun(row.run_id)?.gateSetOf[row.task_index] ?? 0;
  const inState = (state: WaitingRow['state']) => rows.filter((row) => row.state === state);
  const queues = [...new Set(inState('queued').map((row) => taskOf(row)?.queue ?? ''))];
  const [unfinished, gates, queueFacts, clusters] = await Promise.all([
    countUnfinished(
      db,
      inState('none').flatMap((row) => upstreamsOf(row).map((taskIndex) => ({ runId: row.run_id, taskIndex }))),
    ),
    findGates(
      db,
      inState('scheduled').map((row) => ({ runId: row.run_id, set: setOf(row) })),
    ),
    findQueueFacts(
      db,
      queues.filter((queue) => clusterOfQueue(queue) === null),
    ),
    findClusterFacts(
      db,
      queues.flatMap((queue) => clusterOfQueue(queue) ?? []),
    ),
  ]);
  const reasons = new Map(
    rows.map((row) => {
      const task = taskOf(row);
      const reason = taskWaitingReason({
        state: row.state,
        run: {
          runId: row.run_id,
          state: row.run_state,
          active: row.active,
          maxActiveTasks: row.max_active_tasks,
        },
        triggerRule: task?.triggerRule ?? 'all_success',
        upstreams: upstreamsOf(row).flatMap((taskIndex) => {
          const n = unfinished.get(`${row.run_id}.${taskIndex}`);
          return n ? [{ taskId: versions.ofRun(row.run_id)?.tasks[taskIndex]?.taskId ?? '', unfinished: n }] : [];
        }),
        queue: { name: task?.queue ?? '', ...(queueFacts.get(task?.queue ?? '') ?? NO_QUEUE) },
        gate: gates.get(`${row.run_id}.${setOf(row)}`) ?? null,
        dueAt: row.due_at,
        cluster: clusterFacts(task?.queue, clusters, row),
        wait: row.wait_kind === null ? null : { kind: row.wait_kind, timeoutAt: row.timeout_at },
      });
      return [`${row.run_id}.${row.task_index}.${row.map_index}`, reason];
    }),
  );
  return keys.map((key) => reasons.get(`${key.runId}.${key.taskIndex}.${key.mapIndex}`) ?? null);
}

function clusterFacts(
  queue: string | undefined,
  clusters: ReadonlyMap<string, NonNullable<ClusterFacts['known']>>,
  { launch }: WaitingRow,
): ClusterFacts | null {
  const name = clusterOfQueue(queue);
  if (name === null) return null;
  const known = clusters.get(name) ?? null;
  if (!launch) return { name, known, launch: null };
  const { not_before: notBefore, ...facts } = launch;
  return { name, known, launch: { ...facts, notBefore: notBefore === null ? null : new Date(notBefore) } };
}
