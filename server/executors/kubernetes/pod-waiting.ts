/** Why a Pod has not started, in words, and whether waiting can help. Pure. */
import type { TaskCause } from '#sdk/states.ts';
import type { KubeContainerStatus, KubePod } from './kube-types.ts';
import type { ObjectEvent } from './pod-events.ts';
import { conditionOf, realTime, scheduledAt } from './pod-facts.ts';

export interface Waiting {
  /** One word of Kubernetes, such as `Unschedulable` or `ErrImagePull`. */
  reason: string | null;
  message: string | null;
  /** Waiting longer will not help. */
  fatal: Fatal | null;
}
export interface Fatal {
  cause: TaskCause;
  message: string;
  /** Nor will another try. */
  retryable: boolean;
}

const MINUTE_MS = 60_000;

/** Reasons of a waiting container that are errors: the cause, and how long they may last before they are final. */
const ERRORS: { [reason: string]: { cause: TaskCause; patienceMs: number; retryable: boolean } } = {
  InvalidImageName: { cause: 'image_pull', patienceMs: 0, retryable: false },
  ErrImageNeverPull: { cause: 'image_pull', patienceMs: MINUTE_MS, retryable: true },
  ErrImagePull: { cause: 'image_pull', patienceMs: 5 * MINUTE_MS, retryable: true },
  ImagePullBackOff: { cause: 'image_pull', patienceMs: 5 * MINUTE_MS, retryable: true },
  ImageInspectError: { cause: 'image_pull', patienceMs: 5 * MINUTE_MS, retryable: true },
  RegistryUnavailable: { cause: 'image_pull', patienceMs: 5 * MINUTE_MS, retryable: true },
  SignatureValidationFailed: { cause: 'image_pull', patienceMs: MINUTE_MS, retryable: true },
  CreateContainerConfigError: { cause: 'config_error', patienceMs: MINUTE_MS, retryable: true },
  CreateContainerError: { cause: 'config_error', patienceMs: 5 * MINUTE_MS, retryable: true },
  RunContainerError: { cause: 'config_error', patienceMs: 5 * MINUTE_MS, retryable: true },
};
/** They say that something is being done, not that something is wrong. */
const ORDINARY = new Set(['ContainerCreating', 'PodInitializing']);

/** What a registry answered; the state of a container that backs off no longer says it before Kubernetes 1.31. */
export function pullProblem(events: readonly ObjectEvent[]): string | null {
  const failed = events.filter(({ reason, message }) => reason === 'Failed' && message.startsWith('Failed to pull'));
  return failed.at(-1)?.message ?? null;
}

/** The last thing that went wrong on the node: a volume that cannot be mounted, a network that cannot be set up. */
export function lastWarning(events: readonly ObjectEvent[]): ObjectEvent | null {
  return events.filter(({ type }) => type === 'Warning').at(-1) ?? null;
}

function beforeScheduling(pod: KubePod): Waiting {
  const condition = conditionOf(pod, 'PodScheduled');
  if (condition?.status === 'False')
    return { reason: condition.reason ?? 'Unschedulable', message: condition.message ?? null, fatal: null };
  return { reason: null, message: 'Waits for the scheduler of the cluster.', fatal: null };
}

/** When the container that is waited for could have begun: after scheduling, or after the init container before it. */
function waitingSince(pod: KubePod): number | null {
  const ends = (pod.status?.initContainerStatuses ?? []).map(({ state }) => realTime(state?.terminated?.finishedAt));
  const times = [scheduledAt(pod), pod.metadata?.creationTimestamp ?? null, ...ends].filter((time) => time !== null);
  return times.length === 0 ? null : Math.max(...times.map((time) => Date.parse(time)));
}

/** Of a container that waits. */
export function explainContainer(
  pod: KubePod,
  status: KubeContainerStatus,
  events: readonly ObjectEvent[],
  now: number,
): Waiting {
  const { reason = null, message } = status.state?.waiting ?? {};
  const error = ERRORS[reason ?? ''];
  if (!error) {
    const warning = reason === null || ORDINARY.has(reason) ? lastWarning(events) : null;
    if (warning) return { reason: warning.reason, message: warning.message, fatal: null };
    return { reason, message: message ?? null, fatal: null };
  }
  const pulled = error.cause === 'image_pull' ? pullProblem(events) : null;
  const said = pulled && !message?.includes('rpc error') ? pulled : (message ?? pulled ?? '');
  const text = `Container ${status.name}, image ${status.image}: ${said || reason}`;
  const since = waitingSince(pod);
  const isFinal = since !== null && now - since >= error.patienceMs;
  return {
    reason,
    message: text,
    fatal: isFinal ? { cause: error.cause, message: `${reason}: ${text}`, retryable: error.retryable } : null,
  };
}

/** The init container that is under way or stuck. */
function currentInit(pod: KubePod): KubeContainerStatus | undefined {
  const sidecars = new Set(
    (pod.spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always').map(({ name }) => name),
  );
  return pod.status?.initContainerStatuses?.find(({ name, state, started }) =>
    sidecars.has(name) ? !started : state?.terminated === undefined || state.terminated.exitCode !== 0,
  );
}

/** Of a Pod whose own container has not started. */
export function explainWaiting(
  pod: KubePod,
  base: KubeContainerStatus | undefined,
  { events, now }: { events: readonly ObjectEvent[]; now: number },
): Waiting {
  if (!pod.spec?.nodeName && conditionOf(pod, 'PodScheduled')?.status !== 'True') return beforeScheduling(pod);
  const init = currentInit(pod);
  if (init?.state?.waiting && !ORDINARY.has(init.state.waiting.reason ?? ''))
    return explainContainer(pod, init, events, now);
  if (init?.state?.running)
    return { reason: 'PodInitializing', message: `Init container ${init.name} runs.`, fatal: null };
  if (base) return explainContainer(pod, base, events, now);
  const warning = lastWarning(events);
  return { reason: warning?.reason ?? null, message: warning?.message ?? 'Waits for its node.', fatal: null };
}
