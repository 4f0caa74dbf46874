/** Whether the result of a task that has succeeded is brought, by its Pod. Pure. */
import type { TaskCause } from '#sdk/states.ts';
import { EXIT } from '../../pod/exit-codes.ts';
import { COLLECTOR_CONTAINER } from './collector-container.ts';
import type { KubeContainerStatus, KubePod } from './kube-types.ts';
import { DELETED, findDisruption, wasDeleted } from './pod-disruption.ts';
import { shorten } from './pod-evidence.ts';
import { explainContainer } from './pod-waiting.ts';

type Terminated = NonNullable<NonNullable<KubeContainerStatus['state']>['terminated']>;

export type CollectorSeen =
  | { state: 'busy' }
  /** What its container left; null: nothing. */
  | { state: 'ended'; message: string | null }
  /** It never will be: another try may do better. */
  | { state: 'broken'; cause: TaskCause; message: string };

export interface CollectorOptions {
  /** The Pod is no more: it is as it was seen last. */
  gone: boolean;
  /** Nobody waits any longer. */
  overdue: boolean;
  /** Milliseconds since 1970. */
  now: number;
}

export function observeCollector(pod: KubePod, { gone, overdue, now }: CollectorOptions): CollectorSeen {
  const status = pod.status?.containerStatuses?.find(({ name }) => name === COLLECTOR_CONTAINER);
  const terminated = status?.state?.terminated;
  if (terminated) return ofTerminated(pod, terminated);
  const isOver = pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded';
  if (gone || isOver) return broken(findDisruption(pod, null) ?? { cause: 'pod_deleted', message: DELETED });
  const { fatal } = status?.state?.waiting ? explainContainer(pod, status, [], now) : { fatal: null };
  if (fatal) return broken(fatal);
  if (overdue) return broken({ cause: 'result_unavailable', message: 'It took too long.' });
  return { state: 'busy' };
}

function ofTerminated(pod: KubePod, { exitCode, reason, message, finishedAt }: Terminated): CollectorSeen {
  if (exitCode === EXIT.ok || exitCode === EXIT.failed) return { state: 'ended', message: message || null };
  const ended = finishedAt ? Date.parse(finishedAt) : null;
  const disruption = findDisruption(pod, ended);
  if (disruption) return broken(disruption);
  if (wasDeleted(pod, ended)) return broken({ cause: 'pod_deleted', message: DELETED });
  const said = [reason === 'Error' ? '' : (reason ?? ''), shorten(message?.trim() ?? '')].filter((text) => text !== '');
  const how = `Container ${COLLECTOR_CONTAINER} ended with exit code ${exitCode}`;
  return broken({ cause: 'result_unavailable', message: `${[how, ...said].join(': ')}.` });
}

const broken = ({ cause, message }: { cause: TaskCause; message: string }): CollectorSeen => ({
  state: 'broken',
  cause,
  message: `The task has succeeded, but its result was not brought. ${message}`,
});
