/** A worker's registration: who it is to the service, its beats, and the line on which work arrives. */
import type { WorkerInfo } from '#db/queries/worker.ts';
import type { SlotPool, WorkerApi } from './worker-api.ts';

/** A sixth of a lease, ± 20 % so that many workers do not beat together. */
const BEAT_MS = 10_000;

export interface Session {
  workerId(): number;
  /** No further work arrives; beats go on. */
  close(): void;
  end(): void;
}

export interface SessionDeps {
  api: WorkerApi;
  info: WorkerInfo;
  /** Of the first registration. */
  workerId: number;
  slots: SlotPool;
  /** Dispatches that leases are renewed for. */
  running(): string[];
  onFenced(dispatchId: string): void;
  onError(error: unknown): void;
}

export function openSession({ api, info, workerId: firstId, slots, running, onFenced, onError }: SessionDeps): Session {
  let workerId = firstId;
  let closed = false;

  const listen = () => api.listen({ workerId, queues: info.queues, slots, onFenced: beatNow });
  const beat = async () => {
    const { fenced, registered } = await api.heartbeat(workerId, running());
    fenced.forEach(onFenced);
    if (registered || closed) return;
    // We were silent for so long that we were given up
    unlisten();
    workerId = await api.register(info);
    unlisten = listen();
  };
  const beatNow = () => void beat().catch(onError);
  let unlisten = listen();
  const timer = setInterval(beatNow, BEAT_MS * (0.8 + Math.random() * 0.4));

  return {
    workerId: () => workerId,
    close() {
      closed = true;
      unlisten();
    },
    end: () => clearInterval(timer),
  };
}
