import { writeSync } from 'node:fs';
import type { FromNodeChild } from './messages.ts';

/** What a node child says to the supervisor. Written synchronously: nothing that was said is lost when the process dies. */
export interface ChildChannel {
  say(message: FromNodeChild): void;
  print(dispatchId: string, stream: 'o' | 'e', text: string): void;
  /** Sends what tasks print to their own logs; `taskOf` tells whose code is printing. */
  capturePrints(taskOf: () => string | null): void;
  flush(): void;
}

export function createChildChannel(fd: number): ChildChannel {
  let batch: string[] = [];

  const flush = () => {
    if (batch.length === 0) return;
    const data = Buffer.from(`[${batch.join(',')}]\n`);
    batch = [];
    writeAll(fd, data);
  };
  const say = (message: FromNodeChild) => void batch.push(JSON.stringify(message));
  const print = (dispatchId: string, stream: 'o' | 'e', text: string) => {
    say({ type: 'print', dispatchId, stream, text });
    // At once: the task may never yield again.
    flush();
  };
  return {
    say,
    flush,
    print,
    capturePrints(taskOf) {
      for (const [letter, stream] of [['o', process.stdout] as const, ['e', process.stderr] as const]) {
        const original = stream.write.bind(stream);
        const write = (chunk: string | Uint8Array, encoding?: unknown, done?: unknown): boolean => {
          const dispatchId = taskOf();
          const text = typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('utf8');
          if (dispatchId === null) original(text);
          else print(dispatchId, letter, text);
          const callback = typeof encoding === 'function' ? encoding : done;
          if (typeof callback === 'function') process.nextTick(callback);
          return true;
        };
        stream.write = write as typeof stream.write;
      }
    },
  };
}

const pause = new Int32Array(new SharedArrayBuffer(4));

function writeAll(fd: number, data: Buffer): void {
  for (let at = 0; at < data.length;) {
    try {
      at += writeSync(fd, data, at);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // The supervisor is gone, and so is this process in a moment.
      if (code === 'EPIPE') return;
      if (code !== 'EAGAIN') throw error;
      Atomics.wait(pause, 0, 0, 1);
    }
  }
}
