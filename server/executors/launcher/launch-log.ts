/** The log of one launch: its lines, masked, on their way to the store. It goes on where another launcher has left it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createMask } from '../../runner/mask.ts';
import { createTaskLog } from '../../runner/task-log.ts';
import type { LogShipper } from '../../worker/log-shipper.ts';

/** Bytes of one try's log. */
const LIMIT = 1024 * 1024 * 1024;
const FULL_PAUSE_MS = 50;

export interface LaunchLog {
  /** Times of the last lines that are stored and begin so. */
  storedTimes(prefix: string): string[];
  /** Resolves when more may come. */
  line(time: string, text: string): Promise<void>;
  /** Said by the service. */
  system(text: string): void;
  /** Everything is stored; the bytes of it all. */
  complete(): Promise<number>;
  /** Nothing more is kept. */
  isFull(): boolean;
}

export interface LaunchLogDeps {
  dispatchId: string;
  secrets: readonly string[];
  shipper: LogShipper;
  /** The store is slower than what comes. */
  isHeld(): boolean;
  /** A container has begun to write. */
  onFirstLine(): void;
  /** What is stored of it. */
  stored: { bytes: number; tail: string };
}

export function openLaunchLog({ dispatchId, secrets, shipper, isHeld, onFirstLine, stored }: LaunchLogDeps): LaunchLog {
  let full = false;
  let begun = stored.bytes > 0;
  const log = createTaskLog({
    dispatchId,
    mask: createMask(secrets),
    emit: (chunk) => shipper.push(chunk),
    limit: LIMIT,
    offset: stored.bytes,
    onLimit: () => (full = true),
  });
  return {
    storedTimes: (prefix) => storedTimes(stored.tail, prefix),
    async line(time, text) {
      if (!begun) onFirstLine();
      begun = true;
      log.line('o', text, time);
      while (isHeld()) await sleep(FULL_PAUSE_MS);
    },
    system: (text) => log.system(text),
    async complete() {
      const bytes = log.end();
      await shipper.flushed(dispatchId);
      return bytes;
    },
    isFull: () => full,
  };
}

const LINE = /^(\S+) o (.*)$/;

/** From the last lines of a stored log. */
export const storedTimes = (tail: string, prefix: string): string[] =>
  tail.split('\n').flatMap((line) => {
    const [, time, text = ''] = LINE.exec(line) ?? [];
    return time !== undefined && text.startsWith(prefix) ? [time] : [];
  });
