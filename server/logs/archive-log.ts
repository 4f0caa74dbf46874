import type { Db } from '#db/client.ts';
import type { LogBlock } from '#db/queries/archived-log.ts';
import {
  dropDueLog,
  nameDueLog,
  postponeDueLog,
  readDueFacts,
  recordArchived,
  type DueFacts,
  type DueLog,
} from '#db/queries/log-archive.ts';
import type { LogReader } from '#schema/log-reader.ts';
import { decideArchive } from './archive-decision.ts';
import type { LogName, LogStore } from './log-store.ts';
import { readPieces } from './read-pieces.ts';
import { toBlocks } from './text-blocks.ts';

export interface ArchiveDeps {
  db: Db;
  reader: Pick<LogReader, 'read'>;
  store: LogStore;
  /** Length of blocks; what suits unless given. */
  blockBytes?: number | undefined;
}

/** The store failed, not we or the database. */
export class StoreFailure extends Error {
  constructor(store: string, cause: unknown) {
    super(`The log store "${store}" does not take logs: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
    this.name = 'StoreFailure';
  }
}

/** It is looked at again at once: chunks came in the middle. */
const GROWN_SECONDS = 1;

/** Moves one log that is due, if it is sealed. Whatever dies on the way, some taker does all of it again. */
export async function archiveLog(
  deps: ArchiveDeps,
  due: DueLog,
  claim: string,
): Promise<{ bytes: number } | undefined> {
  const claimed = { runId: due.runId, uuid: due.uuid, claim };
  const facts = await readDueFacts(deps.db, due);
  const decision = decideArchive(facts, due.age);
  if (decision.kind === 'forget') await dropDueLog(deps.db, claimed);
  if (decision.kind === 'wait') await postponeDueLog(deps.db, claimed, { ...decision, failed: false });
  if (decision.kind !== 'archive') return undefined;

  const { store } = deps;
  const name = nameOf(due, facts);
  // Readers of the one before are not to find another under its key
  const key = store.keyOf(store.keyOf(name) === facts.archivedKey ? { ...name, bytes: name.bytes + 1 } : name);
  await nameDueLog(deps.db, claimed, store.name, key);
  const blocks = await writeLog(deps, name, key);
  const archive = { store: store.name, key, bytes: sum(blocks, 'bytes'), lines: sum(blocks, 'lines'), blocks };
  const outcome = await recordArchived(deps.db, claimed, { archive, chunks: facts.chunks });
  if (outcome === 'grown') await postponeDueLog(deps.db, claimed, { seconds: GROWN_SECONDS, failed: false });
  return outcome === 'archived' ? { bytes: archive.bytes } : undefined;
}

const nameOf = ({ runId, uuid, mapIndex }: DueLog, facts: DueFacts): LogName => ({
  runId,
  uuid,
  mapIndex,
  dagId: facts.dagId ?? '',
  taskId: facts.taskId ?? '',
  tryNumber: facts.tryNumber ?? 0,
  bytes: facts.chunkBytes + facts.archivedBytes,
});

const sum = (blocks: readonly LogBlock[], what: 'bytes' | 'lines'): number =>
  blocks.reduce((all, block) => all + block[what], 0);

/** Rejects with a StoreFailure when it is the store that fails. */
async function writeLog({ reader, store, blockBytes }: ArchiveDeps, name: LogName, key: string): Promise<LogBlock[]> {
  let ours: { error: unknown } | undefined;
  async function* pieces() {
    try {
      yield* readPieces(reader, name);
    } catch (error) {
      ours = { error };
      throw error;
    }
  }
  try {
    return await store.write(key, toBlocks(pieces(), blockBytes), name);
  } catch (error) {
    throw ours ? ours.error : new StoreFailure(store.name, error);
  }
}
