/** Tasks that need no worker: the triggerer of the service takes them from a queue that no author can name, since an id has no @. */
export const SYSTEM_QUEUE = '@triggerer';

/** Its tasks run no code of a user: they may be deferred, and losing their worker costs nothing. */
export const isSystemQueue = (queue: string | undefined): boolean => queue !== undefined && queue.startsWith('@');
