/** The one list of figures for Prometheus; its docs page is made from it. */

export interface Definition {
  type: 'counter' | 'gauge' | 'histogram';
  help: string;
  labels: readonly string[];
  buckets?: readonly number[];
}

/** Seconds. */
const ANSWERS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const WAITS = [0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600];
const RUNS = [1, 5, 15, 30, 60, 300, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400];

const OF_CLUSTER = ['cluster'] as const;
const wait = (help: string): Definition => ({ type: 'histogram', help, labels: OF_CLUSTER, buckets: WAITS });
const count = (help: string, labels: readonly string[] = OF_CLUSTER): Definition => ({ type: 'counter', help, labels });

const queue = (help: string): Definition => ({ type: 'gauge', help, labels: ['queue'] });

/** Every metric of our own, in the manual's order. Kubernetes tells the times of Pods in whole seconds. */
export const METRICS = {
  millrace_queue_depth: queue('Ready tasks in a queue.'),
  millrace_queue_oldest_seconds: queue('How long the task that stands in it longest has waited; 0 when none does.'),
  millrace_queue_running: queue('Its task instances that run.'),
  millrace_queue_consumers: queue('Workers that are online and serve it.'),
  millrace_queue_slots: queue('Slots of these workers.'),
  millrace_queue_free_slots: queue('Those of them that are free.'),
  millrace_queue_paused: queue('1: its ready tasks are kept back.'),
  millrace_broker_up: { type: 'gauge', help: '1: the broker beside Postgres answers this process.', labels: [] },
  millrace_broker_told_total: count('Ready tasks that it was told of.', []),
  millrace_broker_lost_total: count('Ready tasks that it could not be told of: it lacks them until it is mended.', []),
  millrace_broker_taken_total: count('Ready tasks that it gave to claims; a few of them had gone.', []),
  millrace_broker_fallback_claims_total: count('Claims that asked Postgres, since it did not answer.', []),
  millrace_broker_mended_total: count(
    'Ready tasks that it lacked and was told of again; some were just being claimed.',
    [],
  ),
  millrace_broker_dropped_total: count('Entries dropped from it whose tasks had gone.', []),
  millrace_logs_archived_total: count('Logs that were moved to the log store.', ['store']),
  millrace_logs_archived_bytes_total: count('Bytes of text of these logs.', ['store']),
  millrace_log_archive_seconds: {
    type: 'histogram',
    help: 'How long it took to move one.',
    labels: ['store'],
    buckets: ANSWERS,
  },
  millrace_log_archive_failures_total: count('Logs that could not be moved; each is tried again.', ['store']),
  millrace_logs_deleted_total: count('Logs that were deleted in the log store.', ['store']),
  millrace_logs_waiting: {
    type: 'gauge',
    help: 'Logs that are to go to the log store, also those of running tasks; counted up to 100000.',
    labels: ['store'],
  },
  millrace_log_store_up: { type: 'gauge', help: '0: it takes no logs; they stay in Postgres.', labels: ['store'] },
  millrace_retention_deleted_total: count('What was deleted since it had been kept long enough.', ['what']),
  millrace_launch_create_seconds: wait('From the claim of a task until the cluster has its object: its time in line.'),
  millrace_launch_quota_wait_seconds: wait('Of those that a quota refused: from the first refusal until created.'),
  millrace_launch_schedule_seconds: wait('From the creation of a Pod until a node has it.'),
  millrace_launch_start_seconds: wait('From there until its container runs.'),
  millrace_launch_first_log_seconds: wait('From the creation of a Pod until the first line of its output is here.'),
  millrace_launch_run_seconds: {
    type: 'histogram',
    help: 'From the start of its container to the end.',
    labels: OF_CLUSTER,
    buckets: RUNS,
  },
  millrace_launches: {
    type: 'gauge',
    help: 'Launches that this process looks after.',
    labels: ['cluster', 'phase'],
  },
  millrace_launch_line_length: {
    type: 'gauge',
    help: 'Those of them that wait for their turn to be created.',
    labels: OF_CLUSTER,
  },
  millrace_launch_ends_total: count(
    'Ends that the launcher has reported. Code tasks report their own ends; of them only those that could not.',
    ['cluster', 'outcome', 'cause'],
  ),
  millrace_launch_adoptions_total: count('Launches taken over from a launcher that is gone, or from before a restart.'),
  millrace_launch_reconciliations_total: count('Times that Pods without a launch were looked for.'),
  millrace_launch_orphans_deleted_total: count('Pods that belonged to no launch and were deleted.'),
  millrace_watch_opens_total: count('Watches that were opened.'),
  millrace_watch_restarts_total: count('Watches that ended otherwise than they should, and lists that failed.'),
  millrace_watch_silences_total: count('Restarts because nothing at all was heard.'),
  millrace_watch_relists_total: count('Full lists, the first one of each watch too.'),
  millrace_watch_synthetic_deletes_total: count('Objects that a list no longer had, of whose end no event came.'),
  millrace_watch_failed_objects_total: count('Events that could not be read or dealt with.'),
  millrace_kubernetes_requests_total: count('Requests to clusters. Status 0: no answer.', [
    ...['cluster', 'verb', 'resource', 'status'],
  ]),
  millrace_kubernetes_request_seconds: {
    type: 'histogram',
    help: 'Until they were answered; watches and followed logs: until they began.',
    labels: ['cluster', 'verb', 'resource'],
    buckets: ANSWERS,
  },
} as const satisfies { [name: string]: Definition };

export type MetricName = keyof typeof METRICS;
