/** A worker's registration: who it is to the service, its beats, and the line on which work arrives. */
import type { DrainMode, WorkerBeat, WorkerInfo } from '#db/queries/worker.ts';
import { startBeatLoop } from './beat-loop.ts';
import type { SlotPool, WorkerApi } from './worker-api.ts';

export interface Session {
  workerId(): number;
  /** No further work arrives; beats go on. */
  close(): void;
  /** Beats no more, and says goodbye. Never rejects, but takes as long as the service. */
  end(): Promise<void>;
}

export interface SessionDeps {
  api: WorkerApi;
  info: WorkerInfo;
  /** Of the first registration. */
  workerId: number;
  slots: SlotPool;
  /** Dispatches that leases are renewed for. */
  running(): string[];
  /** What each beat says of the worker. */
  measure(): Promise<WorkerBeat>;
  onFenced(dispatchId: string): void;
  /** With each beat: whether people want it to come to its end. */
  onDrain(mode: DrainMode | null): void;
  onError(error: unknown): void;
}

export function openSession(deps: SessionDeps): Session {
  const { api, info, slots, running, measure, onFenced, onDrain, onError } = deps;
  let { workerId } = deps;
  let closed = false;
  /** By this registration; one that follows a silence knows nothing of it. */
  let drain: DrainMode | null = null;

  const listen = () => api.listen({ workerId, queues: info.queues, slots, onNews: () => beats.now() });
  const registerAgain = async () => {
    // We were silent for so long that we were given up
    unlisten();
    workerId = await api.register(info);
    if (drain !== null) await api.retire(workerId, 'draining');
    drain = null;
    if (!closed) unlisten = listen();
  };
  const beat = async () => {
    const answer = await api.heartbeat(workerId, running(), await measure());
    answer.fenced.forEach(onFenced);
    if (!answer.registered) return closed ? undefined : registerAgain();
    if (answer.drain === drain) return;
    drain = answer.drain;
    onDrain(drain);
  };
  const beats = startBeatLoop(beat, onError);
  let unlisten = listen();

  return {
    workerId: () => workerId,
    close() {
      closed = true;
      unlisten();
    },
    async end() {
      await beats.end();
      try {
        // What it has done since the last beat
        await api.heartbeat(workerId, [], await measure());
        await api.retire(workerId, 'offline');
      } catch (error) {
        onError(error);
      }
    },
  };
}
