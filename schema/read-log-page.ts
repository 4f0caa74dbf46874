import type { Db } from '#db/client.ts';
import { findLogSource, readLogChunks } from '#db/queries/log.ts';
import type { TaskKey } from '#db/queries/task-instances.ts';
import { buildLogPage, type LogPage } from './log-page.ts';

const CHUNKS_PER_READ = 32;

export interface LogPosition {
  /** Null: the newest try. */
  tryNumber: number | null;
  /** Bytes from the start of that try's log. */
  offset: number;
  /** Most lines. */
  limit: number;
}

/** Undefined: the try does not exist (yet). */
export async function readLogPage(
  db: Db,
  task: TaskKey,
  { tryNumber, offset, limit }: LogPosition,
): Promise<(LogPage & { tryNumber: number }) | undefined> {
  const source = await findLogSource(db, task, tryNumber);
  if (!source) return undefined;
  if (source.dispatchId === null)
    return { tryNumber: source.tryNumber, lines: [], nextOffset: offset, complete: source.end !== null };
  const chunks = await readLogChunks(db, { runId: task.runId, uuid: source.dispatchId }, offset, CHUNKS_PER_READ);
  const page = buildLogPage({ chunks, exhausted: chunks.length < CHUNKS_PER_READ, offset, source });
  const cut = page.lines[limit];
  if (!cut) return { ...page, tryNumber: source.tryNumber };
  return {
    tryNumber: source.tryNumber,
    lines: page.lines.slice(0, limit),
    nextOffset: cut.offset,
    complete: false,
  };
}
