/** The worker role: a process of its own that knows only the API's address and a token. */
import { createGraphqlWorkerApi } from '#server/worker/graphql-worker-api.ts';
import { startWorker } from '#server/worker/worker.ts';
import { createAnswered } from './answered.ts';
import { onError } from './open-engine.ts';
import { serveSide } from './serve.ts';
import { callTasks, superviseTasks, type HandlerStart } from './supervise.ts';

interface OpenRequest {
  address: string;
  token: string;
  slots: number;
  /** A folder for the supervisor and its children; null: a task is a call in this process. */
  home: string | null;
}

async function openWorker({ address, token, slots, home }: OpenRequest) {
  const starts: HandlerStart[] = [];
  const api = createGraphqlWorkerApi({ url: address, token, onError });
  const answered = createAnswered(api);
  const info = {
    name: `bench ${process.pid}`,
    queues: ['default'],
    slots,
    version: 'bench',
    hostname: null,
    pid: null,
  };
  const supervise = home === null ? callTasks(starts) : superviseTasks(home, (hash) => api.fetchBundle(hash));
  const worker = await startWorker({ api: answered.api, info, supervise, onError });
  return {
    answered,
    starts,
    async close() {
      await worker.stop(1000);
      await api.stop();
    },
  };
}

let opened: Awaited<ReturnType<typeof openWorker>> | null = null;

serveSide({
  async open(request: OpenRequest) {
    opened = await openWorker(request);
  },
  async close() {
    await opened?.close();
    opened = null;
  },
  /** Reports that are recorded, since it was opened. */
  total: () => opened?.answered.total(),
  takeStarts: () => opened?.starts.splice(0),
});
