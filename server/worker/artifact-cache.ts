/** Large results of other tasks on the worker's disk, for the processes that read them. */
import { createHash, randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { ArtifactRef } from '#sdk/protocol.ts';

export interface ArtifactCache {
  /** The file with its JSON; fetched once, however many tasks ask. */
  fileOf(dispatchId: string, artifact: ArtifactRef): Promise<string>;
}

export interface ArtifactCacheOptions {
  dir: string;
  fetch(dispatchId: string, hash: string): Promise<AsyncIterable<Uint8Array>>;
}

/** What nobody has asked for since then goes. A task that runs longer has read what it needs, or reads it when it starts anew. */
const KEPT_MS = 24 * 3_600_000;
const SWEEP_MS = 600_000;

export function createArtifactCache({ dir, fetch }: ArtifactCacheOptions): ArtifactCache {
  const pending = new Map<string, Promise<string>>();
  let sweptAt = -Infinity;

  const load = async (dispatchId: string, { hash, bytes }: ArtifactRef): Promise<string> => {
    const target = join(dir, hash);
    const found = await stat(target).catch(() => null);
    if (found?.size === bytes) {
      const now = new Date();
      await utimes(target, now, now);
      return target;
    }
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const draft = join(dir, `.${hash.slice(0, 12)}-${randomUUID()}`);
    try {
      const digest = createHash('sha256');
      async function* checked(content: AsyncIterable<Uint8Array>) {
        for await (const data of content) {
          digest.update(data);
          yield data;
        }
      }
      await pipeline(checked(await fetch(dispatchId, hash)), createWriteStream(draft, { mode: 0o600 }));
      if (digest.digest('hex') !== hash) throw new Error(`The result ${hash.slice(0, 12)} arrived damaged.`);
      await rename(draft, target);
      return target;
    } finally {
      await rm(draft, { force: true });
    }
  };

  return {
    async fileOf(dispatchId, artifact) {
      const { hash } = artifact;
      if (!/^[0-9a-f]{64}$/.test(hash)) throw new Error(`'${hash}' is not the hash of a result.`);
      if (performance.now() - sweptAt > SWEEP_MS) {
        sweptAt = performance.now();
        await removeOld(dir);
      }
      const running = pending.get(hash) ?? load(dispatchId, artifact).finally(() => pending.delete(hash));
      pending.set(hash, running);
      return running;
    },
  };
}

async function removeOld(dir: string): Promise<void> {
  const names = await readdir(dir).catch(() => []);
  const before = Date.now() - KEPT_MS;
  for (const name of names) {
    const found = await stat(join(dir, name)).catch(() => null);
    if (found && found.mtimeMs < before) await rm(join(dir, name), { force: true });
  }
}
