/** Whether a Pod is the one that a dispatch was given to. */
import type { LaunchedPod } from '#db/queries/pod-launches.ts';

/** What a cluster says of a token. */
export interface TokenAnswer {
  /** It is good, and made out for us. */
  authenticated: boolean;
  /** Null for tokens that belong to no Pod. */
  podName: string | null;
  podUid: string | null;
  /** Null unless the token is a service account's. */
  namespace: string | null;
  error: string;
}

/** For the log: why not; null: it is the one. The names of Pods are made of their dispatches, so a name alone tells, too. */
export function podProblem(launch: LaunchedPod, answer: TokenAnswer): string | null {
  if (!answer.authenticated) return `the cluster does not vouch for the token: ${answer.error || 'no reason given'}`;
  if (answer.podName === null) return 'the token belongs to no Pod';
  if (launch.namespace === null || launch.name === null) return 'no Pod was asked for yet';
  if (answer.namespace !== launch.namespace)
    return `the Pod is in namespace ${answer.namespace ?? '(none)'}, not in ${launch.namespace}`;
  if (answer.podName !== launch.name) return `the token is that of Pod ${answer.podName}, not of ${launch.name}`;
  if (launch.uid !== null && answer.podUid !== launch.uid)
    return `Pod ${launch.name} is another one: its uid is ${answer.podUid ?? '(none)'}, not ${launch.uid}`;
  return null;
}
