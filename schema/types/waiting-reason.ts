import { runWaitingReason, WAITING_KINDS, type WaitingKind, type WaitingReason } from '#db/engine/waiting-reason.ts';
import { explainWaiting } from '#db/engine/explain-waiting.ts';
import { findRunFacts } from '#db/queries/waiting-facts.ts';
import { builder } from '../builder.ts';
import { parseTaskKey, formatTaskKey, taskKeyOf } from '../task-key.ts';
import { DagRunNode } from './dag-run.ts';
import { TaskInstanceNode } from './task-instance.ts';

const ABOUT: { [Kind in WaitingKind]: string } = {
  upstreams: 'Upstream tasks have not finished as its rule wants.',
  run_queued: 'Its run has not started.',
  max_active_tasks: 'As many tasks of its run are active as may be.',
  max_active_tasks_per_dag: 'As many tasks of its DAG are active as may be.',
  max_active_tis: 'As many instances of the task are active as may be.',
  max_active_tis_per_run: 'As many instances of the task are active in its run as may be.',
  concurrency_key: 'Others of the same key are under way.',
  pool_missing: 'There is no pool of the name that it asks for.',
  pool_too_small: 'It needs more slots than its pool has.',
  pool_full: 'The slots of its pool are taken, or kept for others who come first.',
  rate_limit: 'Its rate limit has no token left.',
  admission: 'Nothing holds it back: it is about to be queued.',
  queue_paused: 'Its queue is paused.',
  no_worker: 'No worker serves its queue.',
  workers_busy: 'All slots of the workers of its queue are taken.',
  starting: 'A worker or launcher is about to take it.',
  no_cluster: 'There is no cluster of the name that it asks for.',
  cluster_paused: 'Its cluster is paused.',
  cluster_unreachable: 'Its cluster does not answer.',
  cluster_full: 'As many Pods are on its cluster, or in its namespace, as may be.',
  quota: 'The quota of its namespace is used up.',
  predecessor: 'What a former try has left on the cluster is not gone yet.',
  cluster_busy: 'Its cluster takes no Pods for now.',
  unschedulable: 'No node of its cluster takes it.',
  object_starting: 'It is starting on its cluster.',
  retry: 'Its next try is not due yet.',
  reschedule: 'It looks again later.',
  deferred: 'It waits for something outside, without a worker.',
  dag_paused: 'Its DAG is paused.',
  max_active_runs: 'As many runs of its DAG are active as may be.',
  not_started: 'Nothing holds the run back: it is about to start.',
};

const WaitingKindEnum = builder.enumType('WaitingKind', {
  description: 'What something waits for.',
  values: Object.fromEntries(
    WAITING_KINDS.map((kind) => [kind.toUpperCase(), { value: kind, description: ABOUT[kind] }]),
  ) as { [K in Uppercase<WaitingKind>]: { value: WaitingKind; description: string } },
});

const WaitingReasonType = builder.objectRef<WaitingReason>('WaitingReason').implement({
  description: 'Why something waits.',
  authScopes: { read: true },
  fields: (t) => ({
    kind: t.expose('kind', { type: WaitingKindEnum, description: 'For programs: what it waits for.' }),
    message: t.exposeString('message', { description: 'For people: one sentence.' }),
    details: t.expose('details', { type: 'JSON', description: 'Limits, numbers and names, by kind.' }),
  }),
});

builder.objectField(TaskInstanceNode, 'waitingReason', (t) =>
  t.loadable({
    type: WaitingReasonType,
    nullable: true,
    description: 'Why it does not run yet; null when it runs, or has finished.',
    load: (ids: string[], ctx) =>
      explainWaiting(
        ctx.db,
        ctx.engine.versions,
        ids.map((id) => parseTaskKey(id) ?? { runId: -1, taskIndex: -1, mapIndex: -1 }),
      ),
    resolve: (row) => formatTaskKey(taskKeyOf(row)),
  }),
);

builder.objectField(DagRunNode, 'waitingReason', (t) =>
  t.loadable({
    type: WaitingReasonType,
    nullable: true,
    description: 'Why it has not started yet; null when it has.',
    load: async (ids: number[], ctx) => {
      const facts = await findRunFacts(ctx.db, ids);
      return ids.map((id) => {
        const found = facts.get(id);
        return found ? runWaitingReason(found) : null;
      });
    },
    resolve: (run) => run.id,
  }),
);
