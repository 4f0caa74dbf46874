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

export interface FoundLogPage extends LogPage {
  tryNumber: number;
  /** Of the dispatch; null: never launched. */
  uuid: string | null;
}

/** Undefined: the try does not exist (yet). */
export async function readLogPage(
  db: Db,
  task: TaskKey,
  { tryNumber, offset, limit }: LogPosition,
): Promise<FoundLogPage | undefined> {
  const source = await findLogSource(db, task, tryNumber);
  if (!source) return undefined;
  const { dispatchId: uuid, tryNumber: found } = source;
  if (uuid === null) return { tryNumber: found, uuid, lines: [], nextOffset: offset, complete: source.end !== null };
  const chunks = await readLogChunks(db, { runId: task.runId, uuid }, offset, CHUNKS_PER_READ);
  const page = buildLogPage({ chunks, exhausted: chunks.length < CHUNKS_PER_READ, offset, source });
  const cut = page.lines[limit];
  if (!cut) return { ...page, tryNumber: found, uuid };
  return { tryNumber: found, uuid, lines: page.lines.slice(0, limit), nextOffset: cut.offset, complete: false };
}
