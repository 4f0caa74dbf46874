/** The worker inside a server's process: no network between it and the engine. */
import { createReadStream } from 'node:fs';
import { ArtifactError, createPostgresArtifacts } from '#db/artifacts.ts';
import type { Db } from '#db/client.ts';
import type { Engine } from '#db/engine/engine.ts';
import type { Listener } from '#db/listen.ts';
import { beatWorker, setWorkerState, WORKER_CHANGED } from '#db/queries/worker.ts';
import type { LogChunk } from '#sdk/protocol.ts';
import { giveResult, takeResult } from '../results/large-results.ts';
import { UploadRefused, type WorkerApi } from './worker-api.ts';

export interface DirectWorkerApiDeps {
  db: Db;
  engine: Engine;
  listener: Listener;
  appendLogs(chunks: LogChunk[]): Promise<void>;
}

export function createDirectWorkerApi({ db, engine, listener, appendLogs }: DirectWorkerApiDeps): WorkerApi {
  const results = { db, artifacts: createPostgresArtifacts(db) };
  return {
    register: (info) => engine.registerWorker(info),
    claim: (workerId, wish) => engine.claim({ workerId, ...wish }),
    report: (workerId, reports, claim) => engine.report({ workerId, reports, ...(claim && { claim }) }),
    async heartbeat(workerId, dispatchIds, said) {
      // The leases first: a worker that has beaten since has named all that it has
      const { fenced } = await engine.heartbeat({ workerId, dispatchIds });
      if (workerId === null) return { fenced, registered: true, drain: null };
      const beat = await beatWorker(db, workerId, said);
      return { fenced, registered: beat !== undefined, drain: beat?.drain ?? null };
    },
    appendLogs,
    async putArtifact(dispatchId, { path, hash }) {
      try {
        await takeResult(results, dispatchId, hash, contentOf(path));
      } catch (error) {
        throw error instanceof ArtifactError ? new UploadRefused(error.message, { cause: error }) : error;
      }
    },
    async readArtifact(dispatchId, hash) {
      const content = await giveResult(results, dispatchId, hash);
      if (!content) throw new Error('There is no such result.');
      return content;
    },
    listen({ workerId, queues, slots, onNews }) {
      const off = [
        // The free slots take part in every flush of this process; a notification tells of tasks that others made ready
        engine.attachLocalWorker({
          workerId,
          queues,
          takeSlots: () => slots.take(),
          deliver: (dispatches, reserved) => slots.deliver(dispatches, reserved),
        }),
        listener.on('millrace_ready', (queue) => queues.includes(queue) && engine.kick()),
        listener.on('millrace_fenced', (id) => id === String(workerId) && onNews()),
        listener.on(WORKER_CHANGED, (id) => id === String(workerId) && onNews()),
        listener.onResync(() => engine.kick()),
      ];
      const poll = setInterval(() => engine.kick(), 1000);
      return () => {
        clearInterval(poll);
        for (const stop of off) stop();
      };
    },
    retire: (workerId, state) => setWorkerState(db, workerId, state),
  };
}

/** Opened when it is read: a stream that nobody reads would stay open, and end the process if its file is gone. */
async function* contentOf(path: string): AsyncGenerator<Buffer> {
  yield* createReadStream(path) as AsyncIterable<Buffer>;
}
