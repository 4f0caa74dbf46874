/** One log, from the archive and the chunks that stand beside it. */
import type { ArchivedLog, LogBlock } from '#db/queries/archived-log.ts';
import type { StoredChunk, StoredLog } from '#db/queries/log.ts';
import type { LogPiece } from '#schema/log-reader.ts';
import { LogGone, type LogStore } from './log-store.ts';

/** Of an archive, at once. */
const BLOCKS_PER_READ = 2;

/** The log is in the store, but the store does not answer as it should. */
export class LogUnreadable extends Error {
  constructor(store: string, cause: unknown) {
    super(`The log store "${store}" cannot be read now: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
    this.name = 'LogUnreadable';
  }
}

/** The first block that ends after the offset. */
export function findBlock(blocks: readonly LogBlock[], offset: number): number {
  let low = 0;
  let high = blocks.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const { offset: from, bytes } = blocks[middle]!;
    if (from + bytes > offset) high = middle;
    else low = middle + 1;
  }
  return low;
}

export async function readBlocks(
  store: LogStore,
  archive: Pick<ArchivedLog, 'key' | 'blocks'>,
  from: number,
  to: number,
): Promise<StoredChunk[]> {
  const texts = await store.read(archive, from, to).catch((cause: unknown) => {
    throw cause instanceof LogGone ? cause : new LogUnreadable(store.name, cause);
  });
  return texts.map((text, i) => ({ byte_offset: archive.blocks[from + i]!.offset, body: text.toString() }));
}

/** `isAll`: the chunks are all that there are from the offset on. */
export async function joinStored(
  { chunks, archive }: StoredLog,
  { offset, isAll, storeOf }: { offset: number; isAll: boolean; storeOf(archive: ArchivedLog): Promise<LogStore> },
): Promise<LogPiece> {
  if (!archive) return { chunks, exhausted: isAll };
  const from = findBlock(archive.blocks, offset);
  const to = Math.min(from + BLOCKS_PER_READ, archive.blocks.length);
  const archived = from < to ? await readBlocks(await storeOf(archive), archive, from, to) : [];
  // What of one kind comes after the end of what was read of the other waits for the next piece
  const blocksEnd = archive.blocks[to]?.offset ?? Infinity;
  const chunksEnd = isAll ? Infinity : (chunks.at(-1)?.byte_offset ?? Infinity);
  const pieces = mergePieces(archived, chunks).filter(
    ({ byte_offset }) => byte_offset < blocksEnd && byte_offset <= chunksEnd,
  );
  return { chunks: pieces, exhausted: isAll && blocksEnd === Infinity };
}

/** Where two begin at the same place the longer one counts: whoever reads on skips what it has. */
function mergePieces(some: readonly StoredChunk[], others: readonly StoredChunk[]): StoredChunk[] {
  return [...some, ...others].sort((a, b) => a.byte_offset - b.byte_offset || a.body.length - b.body.length);
}
