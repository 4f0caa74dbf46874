/** Large results of other tasks on the worker's disk, for the processes that read them. */
import { createHash, randomUUID } from 'node:crypto';
import { createWriteStream, existsSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { ArtifactRef } from '#sdk/protocol.ts';
import { isAlive } from '../runner/process-group.ts';

export interface ArtifactCache {
  /** The file with its JSON; fetched once, however many tasks ask. It stays there until the dispatch is released. */
  fileOf(dispatchId: string, artifact: ArtifactRef): Promise<string>;
  /** The dispatch has ended: it reads no more. */
  release(dispatchId: string): void;
}

export interface ArtifactCacheOptions {
  /** Several processes may share it: each has a folder of its own in it, and removes those of the dead. */
  dir: string;
  /** Bytes. What was asked for longest ago goes first; what dispatches hold stays, also beyond the limit. */
  limit: number;
  fetch(dispatchId: string, hash: string): Promise<AsyncIterable<Uint8Array>>;
  now?(): number;
}

interface Entry {
  path: string;
  bytes: number;
  /** Milliseconds. */
  usedAt: number;
  holders: Set<string>;
  /** Settled when the file is whole. */
  loading: Promise<void>;
}

/** What nobody has asked for since then goes, however much room there is. */
const KEPT_MS = 24 * 3_600_000;
const ownFolders = new Set<string>();

export function createArtifactCache({ dir, limit, fetch, now = Date.now }: ArtifactCacheOptions): ArtifactCache {
  const name = `${process.pid}-${randomUUID()}`;
  const folder = join(dir, name);
  ownFolders.add(name);
  /** By hash, in the order of their last use. */
  const entries = new Map<string, Entry>();
  const held = new Map<string, Entry[]>();
  let total = 0;
  let made: Promise<void> | null = null;

  const makeFolder = async () => {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await removeAbandoned(dir);
  };
  const load = async (dispatchId: string, hash: string, path: string): Promise<void> => {
    await (made ??= makeFolder().catch((error: unknown) => {
      // A disk that was full may have room the next time
      made = null;
      throw error;
    }));
    const digest = createHash('sha256');
    async function* checked(content: AsyncIterable<Uint8Array>) {
      for await (const data of content) {
        digest.update(data);
        yield data;
      }
    }
    await pipeline(checked(await fetch(dispatchId, hash)), createWriteStream(path, { mode: 0o600 }));
    if (digest.digest('hex') !== hash) throw new Error(`The result ${hash.slice(0, 12)} arrived damaged.`);
  };
  const drop = (hash: string, entry: Entry) => {
    if (entries.get(hash) !== entry) return;
    entries.delete(hash);
    total -= entry.bytes;
    const remove = () => rm(entry.path, { force: true });
    void entry.loading.then(remove, remove).catch(() => undefined);
  };
  const trim = () => {
    for (const [hash, entry] of entries) {
      if (total <= limit && entry.usedAt > now() - KEPT_MS) return;
      if (entry.holders.size === 0) drop(hash, entry);
    }
  };
  const begin = (dispatchId: string, { hash, bytes }: ArtifactRef): Entry => {
    // A name of its own: the same result may be on its way out
    const path = join(folder, `${hash.slice(0, 12)}-${randomUUID()}.json`);
    total += bytes;
    return { path, bytes, usedAt: now(), holders: new Set(), loading: load(dispatchId, hash, path) };
  };

  const hold = (dispatchId: string, entry: Entry) => {
    if (entry.holders.has(dispatchId)) return;
    entry.holders.add(dispatchId);
    held.set(dispatchId, [...(held.get(dispatchId) ?? []), entry]);
  };

  const fileOf: ArtifactCache['fileOf'] = async (dispatchId, artifact) => {
    const { hash } = artifact;
    if (!/^[0-9a-f]{64}$/.test(hash)) throw new Error(`'${hash}' is not the hash of a result.`);
    const entry = entries.get(hash) ?? begin(dispatchId, artifact);
    entries.delete(hash);
    entries.set(hash, entry);
    entry.usedAt = now();
    hold(dispatchId, entry);
    trim();
    try {
      await entry.loading;
    } catch (error) {
      entry.holders.delete(dispatchId);
      drop(hash, entry);
      throw error;
    }
    if (!entry.holders.has(dispatchId)) throw new Error('The task has ended.');
    if (existsSync(entry.path)) return entry.path;
    // Somebody has cleaned up behind our back
    drop(hash, entry);
    made = null;
    return fileOf(dispatchId, artifact);
  };

  return {
    fileOf,
    release(dispatchId) {
      const list = held.get(dispatchId);
      if (!list) return;
      held.delete(dispatchId);
      for (const { holders } of list) holders.delete(dispatchId);
      trim();
    },
  };
}

/** Of processes that were killed. A process id may be used anew, in a container always by the same program. */
async function removeAbandoned(dir: string): Promise<void> {
  for (const name of await readdir(dir)) {
    const pid = Number(/^(\d+)-[0-9a-f-]{36}$/.exec(name)?.[1] ?? NaN);
    const isUsed = pid === process.pid ? ownFolders.has(name) : isAlive(pid);
    if (!Number.isNaN(pid) && !isUsed) await rm(join(dir, name), { recursive: true, force: true });
  }
}
