/**
 * A log as one object of gzip members, a block each: a range of it needs only the members that hold it, and `zcat` prints it whole.
 * What objects lie in is told apart by ObjectFolder.
 */
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import type { LogBlock } from '#db/queries/archived-log.ts';
import type { LogName, LogStore } from './log-store.ts';

const compress = promisify(gzip);
const expand = promisify(gunzip);
/** Measured on task logs: half the time of level 6 for a tenth more bytes. */
const LEVEL = 4;

export interface ObjectFolder {
  readonly name: string;
  /** Where a name lies; as it is unless given. */
  keyOf?(name: string): string;
  /** Whole or not at all. */
  write(key: string, content: AsyncIterable<Buffer>): Promise<void>;
  /** Bytes from `from` to before `to`. Rejects with a LogGone when there is no such object. */
  read(key: string, from: number, to: number): Promise<Buffer>;
  delete(keys: readonly string[]): Promise<void>;
  check(): Promise<void>;
  close?(): void;
}

export function createCompressedLogs(folder: ObjectFolder): LogStore {
  return {
    name: folder.name,
    keyOf: (log) => folder.keyOf?.(nameOf(log)) ?? nameOf(log),
    async write(key, blocks) {
      const written: LogBlock[] = [];
      async function* members() {
        for await (const { offset, text, lines } of blocks) {
          const member = await compress(text, { level: LEVEL });
          written.push({ offset, bytes: text.length, lines, size: member.length });
          yield member;
        }
      }
      await folder.write(key, members());
      return written;
    },
    async read({ key, blocks }, from, to) {
      const wanted = blocks.slice(from, to);
      if (wanted.length === 0) return [];
      const start = sizeOf(blocks.slice(0, from));
      const bytes = await folder.read(key, start, start + sizeOf(wanted));
      let at = 0;
      return Promise.all(wanted.map(({ size }) => expand(bytes.subarray(at, (at += size)))));
    },
    delete: (keys) => folder.delete(keys),
    check: () => folder.check(),
    ...(folder.close && { close: () => folder.close?.() }),
  };
}

const sizeOf = (blocks: readonly LogBlock[]): number => blocks.reduce((sum, { size }) => sum + size, 0);

/** Names of tasks may be as long as a file's name. */
const MOST_CHARACTERS = 120;

/** A person finds it; the length and the dispatch make it the only one of its name. */
function nameOf({ runId, uuid, dagId, taskId, mapIndex, tryNumber, bytes }: LogName): string {
  const safe = (name: string) => name.replace(/[^\w.-]/g, '_').slice(0, MOST_CHARACTERS);
  const task = `${safe(taskId)}${mapIndex < 0 ? '' : `[${mapIndex}]`}`;
  return `${safe(dagId)}/${runId}/${task}.${tryNumber}.${uuid.slice(0, 13)}-${bytes}.log.gz`;
}
