/**
 * Where results lie that are too large for a row. Content-addressed within a run, kept as long as the run. Today in Postgres; a store of
 * objects is one more implementation of ArtifactStore.
 */
import { createHash, randomUUID } from 'node:crypto';
import type { Db } from './client.ts';
import {
  deleteArtifact,
  hasArtifact,
  insertArtifactChunk,
  nameArtifact,
  readArtifactChunk,
} from './queries/artifacts.ts';

/** Of one value. */
export const MOST_ARTIFACT_BYTES = 64 * 2 ** 20;
const CHUNK_BYTES = 256 * 1024;

export interface ArtifactStore {
  /** Stores it whole or not at all; twice does no harm. Rejects with an ArtifactError when the content is not what its hash says. */
  put(runId: number, hash: string, content: AsyncIterable<Buffer>): Promise<void>;
  /** Null: there is none. */
  read(runId: number, hash: string): Promise<AsyncIterable<Buffer> | null>;
}

/** What was sent cannot be stored. */
export class ArtifactError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ArtifactError';
  }
}

export function createPostgresArtifacts(db: Db): ArtifactStore {
  return {
    async put(runId, hash, content) {
      if (await hasArtifact(db, runId, hash)) return drain(content);
      // No transaction stays open while bytes arrive: it would hold back everybody who reads the event log
      const draft = draftName();
      try {
        const digest = createHash('sha256');
        let chunk = 0;
        for await (const data of pieces(content, CHUNK_BYTES)) {
          digest.update(data);
          await insertArtifactChunk(db, { runId, hash: draft, chunk, data });
          chunk += 1;
        }
        if (chunk === 0 || digest.digest('hex') !== hash)
          throw new ArtifactError('The content is not what its hash says.');
        await nameArtifact(db, { runId, draft, hash });
      } catch (error) {
        await deleteArtifact(db, { runId, hash: draft });
        throw error;
      }
    },
    async read(runId, hash) {
      const first = await readArtifactChunk(db, { runId, hash, chunk: 0 });
      return first && chunksFrom(db, runId, hash, first);
    },
  };
}

/** Names of uploads under way begin with when they began; `deleteOldDrafts` takes those that nobody will finish. */
const draftName = (): string => `draft ${new Date().toISOString()} ${randomUUID()}`;

async function* chunksFrom(db: Db, runId: number, hash: string, first: Buffer): AsyncGenerator<Buffer> {
  let data: Buffer | null = first;
  for (let chunk = 1; data; chunk++) {
    yield data;
    data = await readArtifactChunk(db, { runId, hash, chunk });
  }
}

async function drain(content: AsyncIterable<Buffer>): Promise<void> {
  let bytes = 0;
  for await (const data of content) bytes += data.length;
  if (bytes > MOST_ARTIFACT_BYTES) throw tooLarge();
}

const tooLarge = () => new ArtifactError(`A result has at most ${MOST_ARTIFACT_BYTES / 2 ** 20} MiB.`);

/** The same bytes in pieces of one size, whatever sizes they come in. */
async function* pieces(content: AsyncIterable<Buffer>, size: number): AsyncGenerator<Buffer> {
  let parts: Buffer[] = [];
  let length = 0;
  let total = 0;
  for await (const data of content) {
    total += data.length;
    if (total > MOST_ARTIFACT_BYTES) throw tooLarge();
    parts.push(data);
    length += data.length;
    while (length >= size) {
      const all = parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts);
      yield all.subarray(0, size);
      parts = [all.subarray(size)];
      length = all.length - size;
    }
  }
  if (length > 0) yield Buffer.concat(parts);
}
