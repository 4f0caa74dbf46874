/** Sends log chunks in order, batched by what arrives while a batch is under way. Keeps them while the service is away. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { LogChunk } from '#sdk/protocol.ts';

const MOST_BYTES = 1_000_000;
const RETRY_MS = 500;
/** Characters kept while the service is away or slower than the tasks. */
const MOST_HELD = 16_000_000;

export interface LogShipper {
  push(chunk: LogChunk): void;
  /** Resolves when nothing of this dispatch is left to send. */
  flushed(dispatchId: string): Promise<void>;
  stop(): Promise<void>;
}

export interface LogShipperDeps {
  append(chunks: LogChunk[]): Promise<void>;
  onError(error: unknown): void;
  /** More than it wants to keep: nothing more should come until it says false. */
  onFull(full: boolean): void;
  /** Characters that it wants to keep at most. */
  mostHeld?: number;
}

export function createLogShipper({ append, onError, onFull, mostHeld = MOST_HELD }: LogShipperDeps): LogShipper {
  const queue: LogChunk[] = [];
  const left = new Map<string, number>();
  const waiting = new Map<string, (() => void)[]>();
  let pumping: Promise<void> | undefined;
  let stopping = false;
  let held = 0;
  let full = false;

  const hold = (change: number) => {
    held += change;
    if (full ? held > mostHeld / 4 : held <= mostHeld) return;
    full = !full;
    onFull(full);
  };

  const done = (dispatchId: string) => {
    const count = (left.get(dispatchId) ?? 1) - 1;
    if (count > 0) return left.set(dispatchId, count);
    left.delete(dispatchId);
    for (const resolve of waiting.get(dispatchId) ?? []) resolve();
    return waiting.delete(dispatchId);
  };

  const nextBatch = () => {
    let bytes = 0;
    let n = 0;
    while (n < queue.length && bytes < MOST_BYTES) bytes += queue[n++]?.body.length ?? 0;
    return queue.splice(0, n);
  };

  const pump = async () => {
    while (queue.length > 0) {
      const batch = nextBatch();
      // Offsets make a repeat harmless
      while (!(await sent(batch))) await sleep(RETRY_MS);
      for (const chunk of batch) done(chunk.dispatchId);
      hold(-batch.reduce((sum, chunk) => sum + chunk.body.length, 0));
    }
    pumping = undefined;
  };

  const sent = async (batch: LogChunk[]): Promise<boolean> => {
    try {
      await append(batch);
      return true;
    } catch (error) {
      onError(error);
      return stopping;
    }
  };

  return {
    push(chunk) {
      queue.push(chunk);
      hold(chunk.body.length);
      left.set(chunk.dispatchId, (left.get(chunk.dispatchId) ?? 0) + 1);
      pumping ??= pump();
    },
    flushed: (dispatchId) =>
      left.has(dispatchId)
        ? new Promise((resolve) => waiting.set(dispatchId, [...(waiting.get(dispatchId) ?? []), resolve]))
        : Promise.resolve(),
    async stop() {
      stopping = true;
      await pumping;
    },
  };
}
