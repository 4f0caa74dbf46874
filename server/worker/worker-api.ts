/** What a worker needs of the service. Over GraphQL for a worker of its own, direct for the one inside `millrace start`. */
import type { ArtifactRef, Dispatch, LogChunk, ReportAnswer, TaskReport } from '#sdk/protocol.ts';
import type { DrainMode, WorkerBeat, WorkerInfo } from '#db/queries/worker.ts';

export interface ClaimWish {
  queues: string[];
  limit: number;
}

/** The slots that a listener may fill. Reserved ones belong to the taker until they are given back with the dispatches. */
export interface SlotPool {
  take(): number;
  deliver(dispatches: Dispatch[], reserved: number): void;
}

export interface WorkerListener {
  workerId: number;
  queues: string[];
  slots: SlotPool;
  /** Some dispatches may be fenced, or the worker is to drain: send a heartbeat now. */
  onNews(): void;
}

/** The service will not take this result. */
export class UploadRefused extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'UploadRefused';
  }
}

export interface BeatAnswer {
  /** No longer current: kill them. */
  fenced: string[];
  /** False: this registration is gone; register again. */
  registered: boolean;
  /** Null: go on. */
  drain: DrainMode | null;
}

export interface WorkerApi {
  register(info: WorkerInfo): Promise<number>;
  claim(workerId: number, wish: ClaimWish): Promise<Dispatch[]>;
  /** `workerId` null: of dispatches that an earlier worker had. */
  report(
    workerId: number | null,
    reports: TaskReport[],
    claim: ClaimWish | null,
  ): Promise<{ answers: ReportAnswer[]; dispatches: Dispatch[] }>;
  heartbeat(workerId: number | null, dispatchIds: string[], said: WorkerBeat): Promise<BeatAnswer>;
  appendLogs(chunks: LogChunk[]): Promise<void>;
  /** Stores a large result of a dispatch that runs. Rejects with UploadRefused when it never will. */
  putArtifact(dispatchId: string, file: ArtifactRef & { path: string }): Promise<void>;
  /** The JSON of a large result of the dispatch's run. */
  readArtifact(dispatchId: string, hash: string): Promise<AsyncIterable<Uint8Array>>;
  /** Fills free slots whenever there is work, until stopped. */
  listen(listener: WorkerListener): () => void;
  /** The worker takes no more; `offline` when it has finished. */
  retire(workerId: number, state: 'draining' | 'offline'): Promise<void>;
}
