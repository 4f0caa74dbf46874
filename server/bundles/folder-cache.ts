import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { createHolds } from './bundle-holds.ts';
import { trimBundles } from './trim-bundles.ts';

export interface FolderCache {
  /** The folder of that hash; filled once, however many ask. It stays there until the holder is released. */
  dirOf(hash: string, holder?: string): Promise<string>;
  /** The holder, a dispatch, has ended. */
  release(holder: string): void;
}

export interface FolderCacheOptions {
  dir: string;
  /** Bytes. What was used longest ago goes first; what somebody holds stays, also beyond the limit. Not given: all stays. */
  limit?: number;
  /** A folder that was held is for so long. */
  lingerMs?: number;
  /** No room could be made. */
  onError?(error: unknown): void;
}

/** Folders by hash. Several processes may share `dir`: a folder appears in it whole, by a rename of the draft that `fill` has filled. */
export function createFolderCache(
  { dir, ...options }: FolderCacheOptions,
  fill: (hash: string, draft: string, target: string) => Promise<void>,
): FolderCache {
  const pending = new Map<string, Promise<string>>();
  const holds = createHolds(dir, options.lingerMs);
  const { limit = Infinity, onError = () => undefined } = options;
  let trimming: Promise<void> = Promise.resolve();

  const make = async (hash: string, target: string): Promise<string> => {
    if (await isFolder(target)) return target;
    const draft = join(dir, `.${hash.slice(0, 12)}-${randomUUID()}`);
    await mkdir(draft, { recursive: true });
    try {
      await fill(hash, draft, target);
      await rename(draft, target).catch(async (cause: unknown) => {
        // Another process was first; its folder holds the same.
        if (!(await isFolder(target))) throw cause;
      });
      if (limit < Infinity) trimming = trimming.then(() => trimBundles(dir, limit)).catch(onError);
      return target;
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
  };

  return {
    async dirOf(hash, holder) {
      const target = join(dir, hash);
      // Before it is looked for: from then on nobody takes it away
      if (holder !== undefined && (await holds.hold(hash, holder))) return pending.get(hash) ?? target;
      const running = pending.get(hash) ?? make(hash, target).finally(() => pending.delete(hash));
      pending.set(hash, running);
      await running;
      await utimes(target, new Date(), new Date());
      if (holder !== undefined) holds.confirm(hash);
      return target;
    },
    release: (holder) => holds.release(holder),
  };
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
