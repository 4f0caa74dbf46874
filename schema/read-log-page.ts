import type { Db } from '#db/client.ts';
import { findLogSource } from '#db/queries/log.ts';
import type { TaskKey } from '#db/queries/task-instances.ts';
import { whyLogIsGone } from './gone-log.ts';
import { buildLogPage, gonePage, type LogPage } from './log-page.ts';
import type { LogReader } from './log-reader.ts';

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
  { db, logs }: { db: Db; logs: Pick<LogReader, 'read'> },
  task: TaskKey,
  { tryNumber, offset, limit }: LogPosition,
): Promise<FoundLogPage | undefined> {
  const source = await findLogSource(db, task, tryNumber);
  if (!source) return undefined;
  const { dispatchId: uuid, tryNumber: found } = source;
  if (uuid === null) return { tryNumber: found, uuid, lines: [], nextOffset: offset, complete: source.end !== null };
  const piece = await logs.read({ runId: task.runId, uuid }, offset);
  const gone =
    offset === 0 && piece.exhausted && piece.chunks.length === 0 ? await whyLogIsGone(db, task.runId, source) : null;
  if (gone !== null) return { ...gonePage(gone, source), tryNumber: found, uuid };
  return { ...buildLogPage({ ...piece, offset, limit, source }), tryNumber: found, uuid };
}

/** Where the last lines of a try's log begin, and of which try that is. */
export async function findLogTail(
  { db, logs }: { db: Db; logs: Pick<LogReader, 'findTail'> },
  task: TaskKey,
  tryNumber: number | null,
  lines: number,
): Promise<Pick<LogPosition, 'tryNumber' | 'offset'>> {
  const source = await findLogSource(db, task, tryNumber);
  if (!source?.dispatchId) return { tryNumber, offset: 0 };
  const offset = await logs.findTail({ runId: task.runId, uuid: source.dispatchId }, lines);
  return { tryNumber: source.tryNumber, offset };
}
