import type { StoredChunk } from '#db/queries/log.ts';
import type { LogKey, LogReader } from '#schema/log-reader.ts';

/** All of a log, piece by piece: no more of it is in memory than one of them. */
export async function* readPieces(reader: Pick<LogReader, 'read'>, log: LogKey, from = 0): AsyncGenerator<StoredChunk> {
  for (let offset = from; ;) {
    const { chunks, exhausted } = await reader.read(log, offset);
    for (const chunk of chunks) {
      const end = chunk.byte_offset + Buffer.byteLength(chunk.body);
      if (end <= offset) continue;
      yield chunk;
      offset = end;
    }
    if (exhausted) return;
  }
}
