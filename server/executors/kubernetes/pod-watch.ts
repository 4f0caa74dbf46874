/** The Pods of one namespace, as they change. */
import type { KubePod } from './kube-types.ts';
import { startObjectWatch, type ObjectWatch, type ObjectWatchOptions } from './object-watch.ts';

export interface PodWatchOptions extends Omit<ObjectWatchOptions<KubePod>, 'source' | 'onObject'> {
  namespace: string;
  labelSelector: string;
  /** Is new or has changed. */
  onPod(pod: KubePod): void;
}

export function startPodWatch({ namespace, labelSelector, onPod, ...options }: PodWatchOptions): ObjectWatch {
  return startObjectWatch<KubePod>({
    ...options,
    source: { apiVersion: 'v1', kind: 'Pod', namespace, labelSelector },
    onObject: onPod,
  });
}
