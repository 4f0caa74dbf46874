/**
 * Logs on their way to the service. What that does not take at once goes to files: neither do tasks wait, nor is memory taken, and whoever
 * starts after this process can send it. While the service answers nothing touches the disk.
 */
import type { LogChunk } from '#sdk/protocol.ts';
import { createLogShipper } from '../log-shipper.ts';
import { createSegments, type Place } from './segments.ts';

/** What is not taken by then is written down. */
export const LATE_MS = 2_000;
/** Characters in memory; what comes then is on the disk alone. */
const MOST_HELD = 4_000_000;
/** Of its limit: so far files must have shrunk before tasks may print again. */
const ROOM_SHARE = 0.75;

export interface LogSpool {
  push(chunk: LogChunk): void;
  /** Resolves when nothing of this dispatch is left to send. */
  flushed(dispatchId: string): Promise<void>;
  isEmpty(): boolean;
  /** Writes down what is not sent. Nothing may be pushed any more; what is sent all the same is sent twice. */
  leave(): void;
}

export interface LogSpoolDeps {
  append(chunks: LogChunk[]): Promise<void>;
  /** Null: there is no disk to write to. */
  dir: string | null;
  /** Bytes of files. */
  limit: number;
  /** True: tasks should print no more. */
  onFull(full: boolean): void;
  onError(error: unknown): void;
  mostHeld?: number;
  lateMs?: number;
}

interface Piece {
  dispatchId: string;
  since: number;
  /** Null: on the disk alone. */
  chunk: LogChunk | null;
  /** Null: in memory alone. */
  place: Place | null;
}

export function createLogSpool(deps: LogSpoolDeps): LogSpool {
  const { append, dir, limit, onError, mostHeld = MOST_HELD, lateMs = LATE_MS } = deps;
  const files = createSegments(dir ?? '');
  /** With the shipper, in its order. */
  const shipping: Piece[] = [];
  /** Behind them: there are some only while the shipper is full. */
  const behind: Piece[] = [];
  const left = new Map<string, number>();
  const waiting = new Map<string, (() => void)[]>();
  let isShipperFull = false;
  let isSpooling = false;
  /** The disk is full, or refuses, or there is none. */
  let isBroken = dir === null;
  let isFull = false;
  let timer: NodeJS.Timeout | undefined;

  const shipper = createLogShipper({
    append: async (chunks) => {
      await append(chunks);
      shipping.splice(0, chunks.length).forEach(done);
      afterSending();
    },
    onError,
    mostHeld,
    onFull(full) {
      isShipperFull = full;
      if (full) beginSpooling();
      else refill();
      judgeRoom();
    },
  });

  const done = ({ dispatchId, place }: Piece) => {
    if (place) files.release(place);
    const count = (left.get(dispatchId) ?? 1) - 1;
    if (count > 0) return void left.set(dispatchId, count);
    left.delete(dispatchId);
    for (const resolve of waiting.get(dispatchId) ?? []) resolve();
    waiting.delete(dispatchId);
  };
  const afterSending = () => {
    if (shipping.length + behind.length === 0) {
      isSpooling = false;
      isBroken = dir === null;
      clearInterval(timer);
      timer = undefined;
    }
    judgeRoom();
  };
  const save = (piece: Piece) => {
    if (piece.place || !piece.chunk || isBroken) return;
    try {
      piece.place = files.write(JSON.stringify(piece.chunk));
    } catch (error) {
      isBroken = true;
      onError(new Error(`The spool in ${dir} cannot be written: tasks that print much wait.`, { cause: error }));
    }
  };
  const beginSpooling = () => {
    if (isSpooling) return;
    isSpooling = true;
    shipping.forEach(save);
  };
  const look = () => {
    if (!isSpooling && (shipping[0]?.since ?? Infinity) < performance.now() - lateMs) beginSpooling();
  };
  /** Tasks wait when the files have come to their limit, or memory is all there is. */
  const judgeRoom = () => {
    const size = files.size();
    const full = (isShipperFull && isBroken) || size > (isFull ? limit * ROOM_SHARE : limit);
    if (full === isFull) return;
    isFull = full;
    deps.onFull(full);
  };
  const ship = (piece: Piece, chunk: LogChunk) => {
    shipping.push(piece);
    shipper.push(chunk);
  };
  const refill = () => {
    for (
      let piece = isShipperFull ? undefined : behind.shift();
      piece;
      piece = isShipperFull ? undefined : behind.shift()
    )
      ship(piece, piece.chunk ?? (JSON.parse(files.read(piece.place!)) as LogChunk));
  };

  return {
    push(chunk) {
      const { dispatchId } = chunk;
      const piece: Piece = { dispatchId, chunk, since: performance.now(), place: null };
      left.set(dispatchId, (left.get(dispatchId) ?? 0) + 1);
      timer ??= setInterval(look, lateMs / 4).unref();
      if (isSpooling) save(piece);
      if (!isShipperFull) ship(piece, chunk);
      else {
        if (piece.place) piece.chunk = null;
        behind.push(piece);
      }
      if (isSpooling) judgeRoom();
    },
    flushed: (dispatchId) =>
      left.has(dispatchId)
        ? new Promise((resolve) => waiting.set(dispatchId, [...(waiting.get(dispatchId) ?? []), resolve]))
        : Promise.resolve(),
    isEmpty: () => left.size === 0,
    leave() {
      if (left.size > 0) beginSpooling();
      behind.forEach(save);
      clearInterval(timer);
      files.close();
    },
  };
}
