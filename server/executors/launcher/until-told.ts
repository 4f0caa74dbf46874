/** What a cluster is asked until it answers: that it does not says nothing about the task. All reject only when `signal` aborts. */
import { setTimeout as sleep } from 'node:timers/promises';
import { CredentialsError } from '../kubernetes/credentials.ts';
import { KubeError } from '../kubernetes/kube-error.ts';
import type { Entry, LaunchContext } from './launch-context.ts';
import type { Target } from './target.ts';

const RETRY_MS = 2_000;

/** Whether the object is there, by its name. */
export async function findUntilTold(
  ctx: LaunchContext,
  entry: Entry,
  target: Target,
  signal: AbortSignal,
): ReturnType<Target['find']> {
  const failed = (error: Error) => {
    ctx.log.warn({ error, cluster: ctx.cluster, name: target.name }, 'an object could not be looked for yet');
    if (entry.launch.reason === 'unavailable') return;
    // What is seen of it next takes the place of this
    Object.assign(entry.launch, { reason: 'unavailable', message: error.message });
    void ctx.save(entry);
  };
  // The watch may have told of it meanwhile
  const ask = async () => (entry.object.value ? { object: entry.object.value.is } : target.find(signal));
  return untilTold({ ask, failed, signal });
}

/** Has the object removed. */
export async function removeUntilTold(
  ctx: LaunchContext,
  entry: Entry,
  target: Target,
  signal: AbortSignal,
): Promise<void> {
  const failed = (error: Error) =>
    ctx.log.warn({ error, cluster: ctx.cluster, name: target.name }, 'an object could not be deleted yet');
  await untilTold({ ask: () => target.remove({ uid: entry.launch.uid, signal }), failed, signal });
}

interface Question<T> {
  ask(): Promise<T>;
  /** It is asked again after a pause. */
  failed(error: Error): void;
  signal: AbortSignal;
}

async function untilTold<T>({ ask, failed, signal }: Question<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      const isTrouble = error instanceof KubeError || error instanceof CredentialsError;
      // Anything else is a fault of ours, and stays one
      if (signal.aborted || !isTrouble) throw error;
      failed(error);
      const asked = error instanceof KubeError ? (error.retryAfterSeconds ?? 0) * 1000 : 0;
      await sleep(Math.max(RETRY_MS, asked), undefined, { signal });
    }
  }
}
