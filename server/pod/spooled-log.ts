/** The log of a task on its way to the service. While that is away it goes to a file: neither does the task wait, nor is memory taken. */
import { closeSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import type { LogChunk } from '#sdk/protocol.ts';
import { createLogShipper, type LogShipper, type LogShipperDeps } from '../worker/log-shipper.ts';

/** Characters in memory; what comes then goes to the file. */
const MOST_HELD = 4_000_000;

export interface SpooledLogDeps extends LogShipperDeps {
  file: string;
}

/** Where it is in the file; or itself, when there was no room. */
type Piece = { at: number; bytes: number } | { chunk: LogChunk };

export function createSpooledLog({
  file,
  onFull,
  mostHeld = MOST_HELD,
  ...deps
}: SpooledLogDeps): Pick<LogShipper, 'push' | 'flushed'> {
  /** What the shipper has not got yet, in its order. There is something only while the shipper is full. */
  const pieces: Piece[] = [];
  let fd: number | null = null;
  let end = 0;
  let isFull = false;
  let onEmpty: (() => void)[] = [];

  const write = (chunk: LogChunk): Piece => {
    fd ??= openSync(file, 'w+', 0o600);
    const data = Buffer.from(JSON.stringify(chunk));
    for (let done = 0; done < data.length;) done += writeSync(fd, data, done, data.length - done, end + done);
    end += data.length;
    return { at: end - data.length, bytes: data.length };
  };
  const read = (piece: Piece): LogChunk => {
    if ('chunk' in piece) return piece.chunk;
    const { at, bytes } = piece;
    const data = Buffer.alloc(bytes);
    for (let done = 0; done < bytes;) {
      const got = readSync(fd ?? -1, data, done, bytes - done, at + done);
      if (got === 0) throw new Error(`${file} was cut: the log of the task is not whole.`);
      done += got;
    }
    return JSON.parse(data.toString()) as LogChunk;
  };
  const closeFile = () => {
    if (fd === null) return;
    closeSync(fd);
    rmSync(file, { force: true });
    fd = null;
    end = 0;
  };
  const drain = () => {
    for (let piece = isFull ? undefined : pieces.shift(); piece; piece = isFull ? undefined : pieces.shift())
      logs.push(read(piece));
    if (pieces.length > 0) return;
    closeFile();
    for (const resolve of onEmpty) resolve();
    onEmpty = [];
  };
  const logs = createLogShipper({
    ...deps,
    mostHeld,
    onFull(full) {
      isFull = full;
      if (full) return;
      onFull(false);
      drain();
    },
  });

  return {
    push(chunk) {
      if (!isFull) return logs.push(chunk);
      try {
        pieces.push(write(chunk));
      } catch (error) {
        // No room on the disk: the task has to wait
        pieces.push({ chunk });
        deps.onError(error);
        onFull(true);
      }
    },
    async flushed(dispatchId) {
      if (pieces.length > 0) await new Promise<void>((resolve) => onEmpty.push(resolve));
      await logs.flushed(dispatchId);
    },
  };
}
