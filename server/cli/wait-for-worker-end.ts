import type { ApiClient } from './api-client.ts';
import { CommandError } from './command-error.ts';
import type { Connection } from './pages.ts';
import { readResuming } from './resume.ts';
import type { WorkerAnswer } from './worker-answers.ts';
import { CHANGES } from './worker-documents.ts';

type Seen = Pick<WorkerAnswer, 'id' | 'name' | 'state'>;

/** Until this very worker has gone: another of its name may have come by then. Resolves to it as it was seen last. */
export async function waitForWorkerEnd(client: ApiClient, worker: WorkerAnswer): Promise<WorkerAnswer> {
  let last = worker;
  const variables = { filter: { name: worker.name, states: ['ONLINE', 'DRAINING', 'OFFLINE'] } };
  await readResuming(
    () => client.subscribe<{ workerChanges: { workers: Connection<Seen> } }>(CHANGES, variables),
    ({ workerChanges }) => {
      const seen = workerChanges.workers.edges.find(({ node }) => node.id === worker.id)?.node;
      last = { ...last, ...seen };
      if (last.state === 'ONLINE') throw new CommandError(`${worker.name} takes tasks again: somebody has resumed it.`);
      return last.state === 'OFFLINE';
    },
  );
  return last;
}
