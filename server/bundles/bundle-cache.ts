import { createFolderCache, type FolderCache, type FolderCacheOptions } from './folder-cache.ts';
import { unpackBundle } from './unpack-bundle.ts';

export interface BundleCacheOptions extends FolderCacheOptions {
  fetch(hash: string): Promise<Buffer>;
}

/** Unpacked bundles by hash. */
export function createBundleCache({ fetch, ...options }: BundleCacheOptions): FolderCache {
  const cache = createFolderCache(options, async (hash, draft) => {
    const found = await unpackBundle(await fetch(hash), draft);
    if (found !== hash) throw new Error(`Bundle ${hash} is damaged: its files hash to ${found}. Deploy the DAG again.`);
  });
  return {
    ...cache,
    async dirOf(hash, holder) {
      if (!/^[0-9a-f]{64}$/.test(hash)) throw new Error(`'${hash}' is not the hash of a bundle.`);
      return cache.dirOf(hash, holder);
    },
  };
}
