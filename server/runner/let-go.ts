import type { Readable, Writable } from 'node:stream';

/** A pipe in which nothing has come for so long has nothing more to give. */
const GRACE_MS = 500;
/** For whom a stranger at the pipe that writes for ever is heard. */
const MOST_MS = 5_000;

export interface LetGoOptions {
  /** Milliseconds. */
  graceMs?: number;
  /** Milliseconds of this process's own work: while it does not get to read, they do not pass. */
  mostMs?: number;
}

/**
 * Call it when the process at the other end has exited: what it left in the pipe is read to its end, even while reading is paused.
 * A process that left the group may hold the pipe open: then it is let go as soon as it is quiet, and at last after `mostMs`.
 */
export function letGoWhenQuiet(
  stream: Readable | Writable | null | undefined,
  { graceMs = GRACE_MS, mostMs = MOST_MS }: LetGoOptions = {},
): void {
  if (!stream || stream.destroyed) return;
  let looksLeft = Math.ceil(mostMs / graceMs);
  let seen = bytesRead(stream);
  const look = () => {
    const now = bytesRead(stream);
    const isQuiet = now === seen && unread(stream) === 0;
    seen = now;
    looksLeft -= 1;
    if (isQuiet || looksLeft <= 0) stream.destroy();
    else waitAndLook();
  };
  let timer: NodeJS.Timeout;
  const waitAndLook = () => {
    // Nothing else would wake it: whoever is to take what it left may have stopped reading
    if ('resume' in stream) stream.resume();
    // On a busy machine the timer comes before the reading, so that gets its turn
    timer = setTimeout(() => setImmediate(look), graceMs).unref();
  };
  stream.once('close', () => clearTimeout(timer));
  waitAndLook();
}

const bytesRead = (stream: object): number =>
  'bytesRead' in stream && typeof stream.bytesRead === 'number' ? stream.bytesRead : 0;
const unread = (stream: object): number =>
  'readableLength' in stream && typeof stream.readableLength === 'number' ? stream.readableLength : 0;
