/** What the cluster wrote down about one object, in the order it happened. */
import type { KubeEvent } from './kube-types.ts';

export interface ObjectEvent {
  /** `Normal` or `Warning`. */
  type: string;
  reason: string;
  message: string;
  /** How often it happened between `firstAt` and `lastAt`. */
  count: number;
  firstAt: string | null;
  lastAt: string | null;
  /** The part of Kubernetes that says so, such as `kubelet`. */
  source: string;
}

/** Events of the older and the newer form of the API. */
export function readEvent(event: KubeEvent): ObjectEvent {
  const at = event.eventTime ?? event.metadata?.creationTimestamp ?? null;
  return {
    type: event.type ?? 'Normal',
    reason: event.reason ?? '',
    message: event.message ?? '',
    count: event.series?.count ?? event.count ?? 1,
    firstAt: event.firstTimestamp ?? at,
    lastAt: event.series?.lastObservedTime ?? event.lastTimestamp ?? at,
    source: event.source?.component ?? event.reportingComponent ?? '',
  };
}

export const inOrder = (events: ObjectEvent[]): ObjectEvent[] =>
  events.sort((a, b) => (a.lastAt ?? '').localeCompare(b.lastAt ?? ''));
