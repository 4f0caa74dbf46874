import type { LogBlock } from '#db/queries/archived-log.ts';
import type { StoredLog } from '#db/queries/log.ts';
import type { LogHits, LogKey, LogReader, LogSearchRequest } from '#schema/log-reader.ts';
import type { LogStore } from './log-store.ts';
import { readPieces } from './read-pieces.ts';
import { createLineSearch, type LineSearch } from './search-lines.ts';
import { findBlock, readBlocks } from './stored-log.ts';

/** Of text that one call reads. */
const MOST_BYTES = 32 * 2 ** 20;
/** What a store can look for: it may fold other letters otherwise than we do. */
const NARROWABLE = /^[\x20-\x7e]{3,}$/;

export interface SearchDeps {
  reader: Pick<LogReader, 'read'>;
  /** What is there of a log right after the offset. */
  look(log: LogKey, offset: number): Promise<StoredLog>;
  storeOf(archive: { store: string }): Promise<LogStore>;
}

export async function searchLog(deps: SearchDeps, log: LogKey, request: LogSearchRequest): Promise<LogHits> {
  const search = createLineSearch(request);
  const isAll = (await searchNarrowed(deps, log, request, search)) ?? (await searchPieces(deps, log, request, search));
  if (isAll) search.finish();
  return { hits: search.hits, next: isAll && !search.isFull() ? null : search.place() };
}

/** False: it has stopped before the end. */
async function searchPieces(
  { reader }: SearchDeps,
  log: LogKey,
  { from }: LogSearchRequest,
  search: LineSearch,
): Promise<boolean> {
  let position = from.offset;
  for await (const { byte_offset, body } of readPieces(reader, log, from.offset)) {
    if (byte_offset > position) search.skip(byte_offset - position, 0);
    const isPartly = byte_offset < position;
    search.add(
      isPartly
        ? Buffer.from(body)
            .subarray(position - byte_offset)
            .toString()
        : body,
    );
    position = byte_offset + Buffer.byteLength(body);
    if (search.isSettled() && (search.isFull() || position - from.offset > MOST_BYTES)) return false;
  }
  return true;
}

/** Where the store says which blocks to read. Undefined: it cannot. */
async function searchNarrowed(
  { look, storeOf }: SearchDeps,
  log: LogKey,
  { from, text, context }: LogSearchRequest,
  search: LineSearch,
): Promise<boolean | undefined> {
  if (!NARROWABLE.test(text)) return undefined;
  const { archive, chunks } = await look(log, from.offset);
  if (!archive || chunks.length > 0) return undefined;
  const store = await storeOf(archive);
  const { blocks } = archive;
  const first = findBlock(blocks, from.offset);
  const found = await store.narrow?.(archive, text, first);
  if (!found) return undefined;
  const wanted = withLinesBefore(blocks, found, context);
  let position = from.offset;
  let read = 0;
  for (let index = first; index < blocks.length; index++) {
    const { offset, bytes, lines } = blocks[index]!;
    if (offset > position) search.skip(offset - position, 0);
    // From within a block the lines before are not in the count of its lines
    if (wanted.has(index) || offset < position || !search.isSettled()) {
      const [piece] = await readBlocks(store, archive, index, index + 1);
      search.add(
        Buffer.from(piece?.body ?? '')
          .subarray(Math.max(0, position - offset))
          .toString(),
      );
      read += bytes;
    } else search.skip(bytes, lines);
    position = offset + bytes;
    if (search.isSettled() && (search.isFull() || read > MOST_BYTES)) return false;
  }
  return true;
}

/** Also the blocks that hold the lines before those that may be found; what comes after them is read as it is needed. */
function withLinesBefore(blocks: readonly LogBlock[], found: readonly number[], context: number): Set<number> {
  const wanted = new Set(found);
  for (const index of found)
    for (let before = index - 1, left = context; before >= 0 && left > 0; before--) {
      wanted.add(before);
      left -= blocks[before]!.lines;
    }
  return wanted;
}
