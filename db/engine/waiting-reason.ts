/** Pure: why a task instance does not run yet, or a run has not started, in words and for programs. */
import type { Json } from '#sdk/protocol.ts';
import type { RunState, TaskState } from '#sdk/states.ts';

export const WAITING_KINDS = [
  'upstreams',
  'run_queued',
  'max_active_tasks',
  'max_active_tasks_per_dag',
  'max_active_tis',
  'max_active_tis_per_run',
  'concurrency_key',
  'pool_missing',
  'pool_too_small',
  'pool_full',
  'rate_limit',
  'admission',
  'queue_paused',
  'no_worker',
  'workers_busy',
  'starting',
  'no_cluster',
  'cluster_paused',
  'cluster_unreachable',
  'cluster_full',
  'quota',
  'predecessor',
  'cluster_busy',
  'unschedulable',
  'object_starting',
  'retry',
  'reschedule',
  'deferred',
  'dag_paused',
  'max_active_runs',
  'not_started',
] as const;
export type WaitingKind = (typeof WAITING_KINDS)[number];

export interface WaitingReason {
  kind: WaitingKind;
  /** One sentence. */
  message: string;
  details: { [key: string]: Json };
}

export interface Holder {
  runId: number;
  dagId: string;
  taskId: string;
  mapIndex: number;
}

export interface TaskFacts {
  state: TaskState;
  run: { runId: number; state: RunState; active: number; maxActiveTasks: number };
  triggerRule: string;
  /** Upstream tasks with instances that have not finished. */
  upstreams: { taskId: string; unfinished: number }[];
  queue: QueueFacts & { name: string };
  /** Null: it stands before no gate. */
  gate: GateFacts | null;
  /** When a timer rings for it. */
  dueAt: Date | null;
  wait: { kind: string; timeoutAt: Date | null } | null;
  /** Of a task for a cluster. */
  cluster: ClusterFacts | null;
}

export interface QueueFacts {
  /** Workers that serve it, their slots, and what they run of all their queues. */
  online: number;
  slots: number;
  running: number;
  paused: { by: string; at: Date } | null;
}

export interface ClusterFacts {
  name: string;
  /** Null: there is none of this name. */
  known: { paused: boolean; health: string; healthMessage: string | null } | null;
  /** Null: nobody has claimed it yet. */
  launch: LaunchFacts | null;
}

export interface LaunchFacts {
  phase: string;
  /** A word for why it does not go on. */
  reason: string | null;
  message: string | null;
  namespace: string | null;
  name: string | null;
  /** The next attempt. */
  notBefore: Date | null;
  attempts: number;
}

export interface GateFacts {
  gate: string;
  slots: number;
  capacity: number;
  held: number;
  /** Null: there is no such pool, or it is no pool. */
  poolSlots: number | null;
  /** Some of those who hold its slots. */
  holders: Holder[];
  /** How many groups of tasks come first. */
  ahead: number;
  /** Of a rate: when the next token comes. */
  dueAt: Date | null;
}

const reason = (kind: WaitingKind, message: string, details: WaitingReason['details'] = {}): WaitingReason => ({
  kind,
  message,
  details,
});
const NAMES_SHOWN = 5;
const plural = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;
const iso = (date: Date | null): string | null => date?.toISOString() ?? null;

/** Null: it does not wait. */
export function taskWaitingReason(facts: TaskFacts): WaitingReason | null {
  switch (facts.state) {
    case 'none':
      return upstreamReason(facts);
    case 'scheduled':
      return admissionReason(facts);
    case 'queued':
      return facts.cluster ? clusterReason(facts.cluster) : queueReason(facts.queue);
    case 'up_for_retry':
      return reason('retry', `Its next try is due at ${iso(facts.dueAt)}.`, { until: iso(facts.dueAt) });
    case 'up_for_reschedule':
      return reason('reschedule', `It looks again at ${iso(facts.dueAt)}.`, { until: iso(facts.dueAt) });
    case 'deferred':
      return deferredReason(facts);
    default:
      return null;
  }
}

function upstreamReason({ run, upstreams, triggerRule }: TaskFacts): WaitingReason {
  if (run.state === 'queued') return reason('run_queued', 'Its run has not started yet.');
  const count = upstreams.reduce((sum, { unfinished }) => sum + unfinished, 0);
  const names = upstreams.slice(0, NAMES_SHOWN).map(({ taskId }) => taskId);
  const more = upstreams.length > NAMES_SHOWN ? ` and ${upstreams.length - NAMES_SHOWN} more` : '';
  const message =
    count === 0
      ? `Its rule ${triggerRule} does not let it run yet.`
      : `It waits for ${plural(count, 'upstream instance')} to finish: ${names.join(', ')}${more} (rule ${triggerRule}).`;
  return reason('upstreams', message, {
    unfinished: count,
    tasks: upstreams.map(({ taskId }) => taskId).slice(0, 100),
    triggerRule,
  });
}

function admissionReason({ run, gate }: TaskFacts): WaitingReason {
  if (run.state === 'queued') return reason('run_queued', 'Its run has not started yet.');
  if (gate) return gateReason(gate);
  if (run.active >= run.maxActiveTasks) {
    const message = `${run.active} tasks of its run are active, which is the most that may be (maxActiveTasks).`;
    return reason('max_active_tasks', message, { active: run.active, limit: run.maxActiveTasks });
  }
  return reason('admission', 'It is about to be queued.');
}

function gateReason(facts: GateFacts): WaitingReason {
  const { gate, held, capacity, ahead } = facts;
  const [kind = '', ...rest] = gate.split(':');
  const taken = { held, limit: capacity, ahead, holders: facts.holders.map((holder) => ({ ...holder })) };
  const by = holdersText(facts.holders);
  switch (kind) {
    case 'pool':
    case 'nopool':
      return poolReason(rest.join(':'), facts);
    case 'rate': {
      const until = iso(facts.dueAt);
      return reason('rate_limit', `Its rate limit lets the next task start at ${until ?? 'any moment'}.`, {
        until,
        ahead,
      });
    }
    case 'key':
      return reason('concurrency_key', `Its concurrency key ${rest.slice(2).join(':')} is taken${by}.`, taken);
    case 'dag':
      return reason('max_active_tasks_per_dag', `${held} of ${capacity} tasks of its DAG are active${by}.`, taken);
    case 'run':
      return reason('max_active_tis_per_run', `${held} of ${capacity} instances in its run are active.`, taken);
    default:
      return reason('max_active_tis', `${held} of ${capacity} instances of the task are active${by}.`, taken);
  }
}

function poolReason(pool: string, facts: GateFacts): WaitingReason {
  const { slots, poolSlots, held, ahead, holders } = facts;
  if (poolSlots === null) return reason('pool_missing', `Pool "${pool}" does not exist.`, { pool });
  if (slots > poolSlots) {
    const message = `It needs ${plural(slots, 'slot')} of pool "${pool}", which has ${poolSlots}.`;
    return reason('pool_too_small', message, { pool, needed: slots, slots: poolSlots });
  }
  const line = ahead > 0 ? ` ${plural(ahead, 'group')} of tasks ${ahead === 1 ? 'comes' : 'come'} first.` : '';
  const message = `${held} of ${poolSlots} slots of pool "${pool}" are taken${holdersText(holders)}; it needs ${slots}.${line}`;
  const who = holders.map((holder) => ({ ...holder }));
  return reason('pool_full', message, { pool, needed: slots, slots: poolSlots, held, ahead, holders: who });
}

const holdersText = (holders: readonly Holder[]): string => {
  if (holders.length === 0) return '';
  const names = holders.slice(0, NAMES_SHOWN).map(({ dagId, taskId, runId }) => `${dagId}.${taskId} of run ${runId}`);
  return ` by ${names.join(', ')}`;
};

function queueReason({ name, online, slots, running, paused }: TaskFacts['queue']): WaitingReason {
  const details = { queue: name, workers: online, slots, running };
  if (paused) {
    const message = `Queue "${name}" is paused by ${paused.by} since ${iso(paused.at)}.`;
    return reason('queue_paused', message, { ...details, by: paused.by, since: iso(paused.at) });
  }
  if (online === 0) return reason('no_worker', `No worker serves queue "${name}".`, details);
  if (running < slots) return reason('starting', 'A worker is about to take it.', details);
  const taken = slots === 1 ? 'The one slot' : `All ${slots} slots`;
  const message = `${taken} of the ${plural(online, 'worker')} of queue "${name}" ${slots === 1 ? 'is' : 'are'} taken.`;
  return reason('workers_busy', message, details);
}

/** By the word that its launcher has written down. */
const LAUNCH_KINDS: { [reason: string]: WaitingKind } = {
  quota: 'quota',
  cluster_full: 'cluster_full',
  predecessor: 'predecessor',
  throttled: 'cluster_busy',
  unavailable: 'cluster_busy',
  conflict: 'cluster_busy',
  Unschedulable: 'unschedulable',
};

function clusterReason({ name, known, launch }: ClusterFacts): WaitingReason {
  const details = { cluster: name };
  if (!known)
    return reason('no_cluster', `There is no cluster "${name}". Add it with "millrace cluster add".`, details);
  if (!launch) {
    if (known.paused) return reason('cluster_paused', `Cluster "${name}" is paused.`, details);
    if (known.health === 'unreachable')
      return reason(
        'cluster_unreachable',
        `Cluster "${name}" does not answer: ${known.healthMessage ?? 'unknown'}`,
        details,
      );
    return reason('starting', `A launcher is about to take it to cluster "${name}".`, details);
  }
  const { namespace, name: object, attempts, phase } = launch;
  const all = { ...details, namespace, object, phase, attempts, why: launch.reason, until: iso(launch.notBefore) };
  const kind = (launch.reason !== null && LAUNCH_KINDS[launch.reason]) || 'object_starting';
  return reason(kind, launch.message ?? `It is starting on cluster "${name}".`, all);
}

function deferredReason({ wait, dueAt }: TaskFacts): WaitingReason {
  const until = wait?.timeoutAt ? `, until ${iso(wait.timeoutAt)} at most` : '';
  const message = `It waits for ${wait?.kind ?? 'something outside'} without a worker${until}.`;
  return reason('deferred', message, {
    wait: wait?.kind ?? null,
    nextLook: iso(dueAt),
    until: iso(wait?.timeoutAt ?? null),
  });
}

export interface RunFacts {
  state: RunState;
  paused: boolean;
  running: number;
  maxActiveRuns: number;
  /** Null: runs of the DAG are not told apart. */
  key: { key: string; limit: number; runIds: number[] } | null;
}

/** Null: it does not wait. */
export function runWaitingReason({ state, paused, running, maxActiveRuns, key }: RunFacts): WaitingReason | null {
  if (state !== 'queued') return null;
  if (paused) return reason('dag_paused', 'Its DAG is paused.');
  if (key && key.runIds.length >= key.limit) {
    const message = `Its concurrency key ${key.key} is taken by run ${key.runIds.slice(0, NAMES_SHOWN).join(', ')}.`;
    return reason('concurrency_key', message, { key: key.key, limit: key.limit, runIds: key.runIds.map(String) });
  }
  if (running >= maxActiveRuns) {
    const message = `${plural(running, 'run')} of its DAG ${running === 1 ? 'is' : 'are'} active, which is the most that may be (maxActiveRuns).`;
    return reason('max_active_runs', message, { running, limit: maxActiveRuns });
  }
  return reason('not_started', 'It is about to start.');
}
