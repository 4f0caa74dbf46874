import type { Readable, Writable } from 'node:stream';

/** Messages of one turn of the event loop go out in one write: a JSON list on a line. */
export interface FrameWriter<T> {
  send(message: T): void;
  flush(): void;
}

const NEWLINE = 10;

export function createFrameWriter<T>(stream: Writable): FrameWriter<T> {
  let batch: string[] = [];
  let scheduled = false;
  const flush = () => {
    scheduled = false;
    if (batch.length === 0 || stream.destroyed || stream.writableEnded) return;
    stream.write(`[${batch.join(',')}]\n`);
    batch = [];
  };
  return {
    flush,
    send(message) {
      batch.push(JSON.stringify(message));
      if (scheduled) return;
      scheduled = true;
      setImmediate(flush);
    },
  };
}

/** Calls back once per frame. `onBroken` is told when the other side writes something else. */
export function readFrames<T>(
  stream: Readable,
  onMessages: (messages: T[]) => void,
  onBroken: (error: Error) => void,
): void {
  let parts: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => {
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
      const tail = chunk.subarray(from, at);
      from = at + 1;
      const line = parts.length > 0 ? Buffer.concat([...parts, tail]) : tail;
      parts = [];
      let messages: unknown;
      try {
        messages = JSON.parse(line.toString('utf8'));
      } catch (cause) {
        onBroken(new Error(`A frame is not JSON: ${line.subarray(0, 80).toString('utf8')}`, { cause }));
        return;
      }
      onMessages(messages as T[]);
    }
    if (from < chunk.length) parts.push(chunk.subarray(from));
  });
}
