/** Queues that no author can name, since an id has no @. */

/** Tasks that need no worker: the triggerer of the service settles them. */
export const SYSTEM_QUEUE = '@triggerer';
const CLUSTER_QUEUE = '@kubernetes/';

/** No worker may serve it. */
export const isReservedQueue = (queue: string): boolean => queue.startsWith('@');

/** Its tasks run no code of a user: they may be deferred, and losing their worker costs nothing. */
export const isSystemQueue = (queue: string | undefined): boolean =>
  queue !== undefined && isReservedQueue(queue) && !queue.startsWith(CLUSTER_QUEUE);

/** Where the tasks of a cluster stand in line. */
export const clusterQueue = (cluster: string): string => CLUSTER_QUEUE + cluster;

/** Null: another kind of queue. */
export const clusterOfQueue = (queue: string | undefined): string | null =>
  queue?.startsWith(CLUSTER_QUEUE) ? queue.slice(CLUSTER_QUEUE.length) : null;

export const isClusterQueue = (queue: string | undefined): boolean => clusterOfQueue(queue) !== null;
