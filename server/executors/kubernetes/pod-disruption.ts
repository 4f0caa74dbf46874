/** Who or what ended a Pod that did not end by itself, by what the cluster wrote into its status. Pure. */
import type { TaskCause } from '#sdk/states.ts';
import type { KubePod } from './kube-types.ts';
import { conditionOf, deletionAskedAt } from './pod-facts.ts';

export interface Disruption {
  cause: TaskCause;
  message: string;
}

/** Kubernetes' times have whole seconds, and are written by several machines. */
const CLOCKS_MS = 2_000;

/** Reasons of the condition DisruptionTarget; the scheduler has had two names in it. */
const TARGETED: { [reason: string]: TaskCause } = {
  PreemptionByScheduler: 'preempted',
  PreemptionByKubeScheduler: 'preempted',
  DeletionByTaintManager: 'node_lost',
  DeletionByPodGC: 'node_lost',
  EvictionByEvictionAPI: 'evicted',
  TerminationByKubelet: 'evicted',
};

/** Reasons of a Pod that failed as a whole. */
const FAILED: { [reason: string]: TaskCause } = {
  Evicted: 'evicted',
  Preempting: 'preempted',
  NodeLost: 'node_lost',
  NodeShutdown: 'evicted',
  Shutdown: 'evicted',
  Terminated: 'evicted',
  DeadlineExceeded: 'timeout',
  UnexpectedAdmissionError: 'start_failed',
  NodeAffinity: 'start_failed',
  NodePorts: 'start_failed',
  HostPortConflict: 'start_failed',
  TopologyAffinityError: 'start_failed',
};

const WORDS: { [cause: string]: string } = {
  preempted: 'Preempted by a Pod of higher priority',
  node_lost: 'The node was lost',
  evicted: 'Evicted from its node',
  start_failed: 'The node could not take the Pod',
  timeout: 'Ran longer than the deadline of its Pod',
};

const tell = (cause: TaskCause, detail: string | undefined): Disruption => ({
  cause,
  message: detail ? `${WORDS[cause]}: ${detail}` : `${WORDS[cause]}.`,
});

/** @param before only what was there by then (milliseconds) can have been the reason; null: whenever. */
export function findDisruption(pod: KubePod, before: number | null): Disruption | null {
  const { reason = '', message } = pod.status ?? {};
  const failed = FAILED[reason] ?? (reason.startsWith('OutOf') ? 'start_failed' : undefined);
  if (failed === 'timeout') return isOverdue(pod, before) ? tell('timeout', deadlineDetail(pod)) : null;
  const target = conditionOf(pod, 'DisruptionTarget');
  const targeted = target?.status === 'True' ? TARGETED[target.reason ?? ''] : undefined;
  if (targeted && target && isBefore(target.lastTransitionTime, before)) return tell(targeted, target.message);
  return failed ? tell(failed, message) : null;
}

/** A deadline that passed later, while a sidecar still ran, is no reason. */
function isOverdue(pod: KubePod, before: number | null): boolean {
  const { activeDeadlineSeconds: seconds } = pod.spec ?? {};
  const start = pod.status?.startTime;
  if (before === null || seconds === undefined || !start) return true;
  return before + CLOCKS_MS >= Date.parse(start) + seconds * 1000;
}

function deadlineDetail(pod: KubePod): string | undefined {
  const seconds = pod.spec?.activeDeadlineSeconds;
  return seconds === undefined ? pod.status?.message : `activeDeadlineSeconds is ${seconds}.`;
}

const isBefore = (time: string | undefined, limit: number | null): boolean =>
  limit === null || !time || Date.parse(time) <= limit + CLOCKS_MS;

/** Somebody asked for its deletion before it ended. */
export function wasDeleted(pod: KubePod, before: number | null): boolean {
  const asked = deletionAskedAt(pod);
  return asked !== null && (before === null || asked <= before + CLOCKS_MS);
}

export const DELETED = 'The Pod was deleted by somebody or something else than Millrace.';
