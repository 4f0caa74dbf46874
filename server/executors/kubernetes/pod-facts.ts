/** What a Pod's status says, in the shape that decisions read. Pure. */
import type { KubeContainerStatus, KubePod, KubePodCondition } from './kube-types.ts';

/** Kubernetes writes the beginning of 1970 where nothing ever started. */
const isReal = (time: string | undefined | null): time is string => !!time && Date.parse(time) > 365 * 86_400_000;
export const realTime = (time: string | undefined | null): string | null => (isReal(time) ? time : null);

/** The status of the container that is the task; the only one there is when none has its name. */
export function baseStatus(pod: KubePod, base: string): KubeContainerStatus | undefined {
  const statuses = pod.status?.containerStatuses ?? [];
  return statuses.find(({ name }) => name === base) ?? (statuses.length === 1 ? statuses[0] : undefined);
}

export const conditionOf = (pod: KubePod, type: string): KubePodCondition | undefined =>
  pod.status?.conditions?.find((condition) => condition.type === type);

/** When the container first ran; null: never, as far as is known. */
export function startedAt(status: KubeContainerStatus | undefined): string | null {
  const { state, lastState } = status ?? {};
  return (
    realTime(lastState?.terminated?.startedAt) ??
    realTime(state?.running?.startedAt) ??
    realTime(state?.terminated?.startedAt)
  );
}

/** Also true where the time is lost: a container that vanished with its node may have done anything. */
export function everStarted(status: KubeContainerStatus | undefined): boolean {
  if (!status) return false;
  if (startedAt(status) !== null || status.restartCount > 0 || status.state?.running) return true;
  return status.state?.terminated?.reason === 'ContainerStatusUnknown';
}

/** When somebody asked for the Pod to be deleted; `deletionTimestamp` is when it is to be over. */
export function deletionAskedAt(pod: KubePod): number | null {
  const { deletionTimestamp, deletionGracePeriodSeconds = 0 } = pod.metadata ?? {};
  return deletionTimestamp ? Date.parse(deletionTimestamp) - deletionGracePeriodSeconds * 1000 : null;
}

export function scheduledAt(pod: KubePod): string | null {
  const condition = conditionOf(pod, 'PodScheduled');
  if (condition?.status === 'True') return realTime(condition.lastTransitionTime);
  return null;
}
