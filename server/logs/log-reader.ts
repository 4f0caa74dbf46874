import type { Db } from '#db/client.ts';
import { readStoredLog, readStoredLogBefore, type StoredChunk } from '#db/queries/log.ts';
import { logUnavailable } from '#schema/errors.ts';
import type { LogKey, LogPiece, LogReader } from '#schema/log-reader.ts';
import { LogGone } from './log-store.ts';
import { LogStoreUnknown, type LogStores } from './log-stores.ts';
import { searchLog } from './search-log.ts';
import { joinStored, LogUnreadable, readBlocks } from './stored-log.ts';
import { countLines } from './text-blocks.ts';

const CHUNKS_PER_READ = 32;
const NEWLINE = 10;

export interface LogReaderDeps {
  db: Db;
  stores: Pick<LogStores, 'reading'>;
}

export function createLogReader({ db, stores }: LogReaderDeps): LogReader {
  const storeOf = ({ store }: { store: string }) => stores.reading(store);

  const readOnce = async (log: LogKey, offset: number): Promise<LogPiece> => {
    const stored = await readStoredLog(db, log, { offset, limit: CHUNKS_PER_READ });
    return joinStored(stored, { offset, isAll: stored.chunks.length < CHUNKS_PER_READ, storeOf });
  };
  /** The pieces right before an offset, in order. */
  const readBefore = async (log: LogKey, offset: number): Promise<StoredChunk[]> => {
    const { chunks, archive } = await readStoredLogBefore(db, log, { offset, limit: CHUNKS_PER_READ });
    const before = archive?.blocks.filter((block) => block.offset < offset) ?? [];
    const last = before.length - 1;
    const block = archive && last >= 0 ? await readBlocks(await storeOf(archive), archive, last, last + 1) : [];
    const from = Math.max(
      chunks.length < CHUNKS_PER_READ ? 0 : chunks[0]!.byte_offset,
      last > 0 ? before[last]!.offset : 0,
    );
    return [...chunks, ...block]
      .filter(({ byte_offset }) => byte_offset >= from)
      .sort((a, b) => a.byte_offset - b.byte_offset);
  };
  /** Between the looking up and the reading it may have been archived anew. */
  const again = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work().catch((error: unknown) => {
        if (error instanceof LogGone) return work();
        throw error;
      });
    } catch (error) {
      if (error instanceof LogGone || error instanceof LogStoreUnknown || error instanceof LogUnreadable)
        throw logUnavailable(error.message, error);
      throw error;
    }
  };
  const read: LogReader['read'] = (log, offset) => again(() => readOnce(log, offset));
  const look = (log: LogKey, offset: number) => readStoredLog(db, log, { offset, limit: 1 });

  return {
    read,
    search: (log, request) => again(() => searchLog({ reader: { read: readOnce }, look, storeOf }, log, request)),
    async findTail(log, lines) {
      let left = lines;
      let start = Number.MAX_SAFE_INTEGER;
      for (let isEnd = true; ; isEnd = false) {
        const before = start;
        const pieces = await again(() => readBefore(log, before));
        for (const { byte_offset, body } of pieces.reverse()) {
          const text = Buffer.from(body).subarray(0, start - byte_offset);
          // The end of the last line begins no further one
          if (isEnd && text.at(-1) === NEWLINE) left += 1;
          isEnd = false;
          const found = nthLastLine(text, left);
          if (found.at !== null) return byte_offset + found.at;
          left -= found.ends;
          start = byte_offset;
        }
        if (pieces.length === 0) return start === Number.MAX_SAFE_INTEGER ? 0 : start;
      }
    },
  };
}

/** Where the text after the n-th last end of a line begins; null: it has only so many `ends`. */
function nthLastLine(text: Buffer, n: number): { at: number | null; ends: number } {
  let at = text.length;
  for (let ends = 0; ends < n; ends++) {
    at = at === 0 ? -1 : text.lastIndexOf(NEWLINE, at - 1);
    if (at < 0) return { at: null, ends: countLines(text) };
  }
  return { at: at + 1, ends: n };
}
