/** What a Pod does at this moment, or how it ended. Pure: the clock and all that is known come in. */
import type { KubePod } from './kube-types.ts';
import { endOf, endOfGone, type PodEnd } from './pod-end.ts';
import type { ObjectEvent } from './pod-events.ts';
import { baseStatus, everStarted, realTime, scheduledAt, startedAt } from './pod-facts.ts';
import { explainWaiting, type Fatal, type Waiting } from './pod-waiting.ts';

/** `started`: the task's container runs. `ended`: it does not any more, whatever else in the Pod still does. */
export type PodPhase = 'pending' | 'scheduled' | 'started' | 'ended';

export interface ObserveOptions {
  /** Name of the container that is the task. */
  base: string;
  /** Milliseconds since 1970. */
  now: number;
  /** What the cluster wrote about the Pod, oldest first, where somebody asked. */
  events?: readonly ObjectEvent[];
  /** We asked for the deletion: it is no explanation then. */
  deletedByUs?: boolean;
  /** Bytes, where somebody measured them. */
  peakMemory?: number | null;
}

export interface PodObservation {
  phase: PodPhase;
  /** Why it is not further, in one word of Kubernetes; null: nothing to say. */
  reason: string | null;
  /** The same in words, those of the scheduler, the registry or the node. */
  message: string | null;
  /** Not null: waiting longer will not help; the Pod is to be deleted. */
  fatal: Fatal | null;
  node: string | null;
  /** ISO 8601, as Kubernetes wrote them. */
  scheduledAt: string | null;
  startedAt: string | null;
  finishedAt: string | null;
  /** The task's code may have run. */
  everStarted: boolean;
  /** Somebody has asked for its deletion, us or others. */
  terminating: boolean;
  /** Not null in phase `ended`. */
  end: PodEnd | null;
}

const NOTHING: Waiting = { reason: null, message: null, fatal: null };
const LOST: Waiting = { reason: 'NodeLost', message: 'The node does not answer any more.', fatal: null };

function why(pod: KubePod, phase: PodPhase, { base, now, events = [] }: ObserveOptions): Waiting {
  if (phase === 'ended') return NOTHING;
  if (pod.status?.phase === 'Unknown' || pod.status?.reason === 'NodeLost')
    return { ...LOST, message: pod.status.message ?? LOST.message };
  return phase === 'started' ? NOTHING : explainWaiting(pod, baseStatus(pod, base), { events, now });
}

export function observePod(pod: KubePod, options: ObserveOptions): PodObservation {
  const { base, deletedByUs = false, peakMemory = null } = options;
  const status = baseStatus(pod, base);
  const end = endOf(pod, { base, deletedByUs, peakMemory });
  const started = everStarted(status);
  const isScheduled = !!pod.spec?.nodeName || scheduledAt(pod) !== null;
  const phase = end ? 'ended' : started ? 'started' : isScheduled ? 'scheduled' : 'pending';
  return {
    phase,
    ...why(pod, phase, options),
    node: pod.spec?.nodeName ?? null,
    scheduledAt: scheduledAt(pod),
    startedAt: startedAt(status),
    finishedAt: realTime(status?.state?.terminated?.finishedAt),
    everStarted: started,
    terminating: !!pod.metadata?.deletionTimestamp,
    end,
  };
}

/** How a Pod ended that is no more; `last`: as it was seen last, null: it never was. */
export function observeGone(last: KubePod | null, options: Omit<ObserveOptions, 'now' | 'events'>): PodEnd {
  const { base, deletedByUs = false, peakMemory = null } = options;
  return endOfGone(last, { base, deletedByUs, peakMemory });
}
