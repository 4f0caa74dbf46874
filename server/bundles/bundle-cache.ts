import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { unpackBundle } from './unpack-bundle.ts';

export interface BundleCache {
  /** The folder with the unpacked bundle; fetched once, however many ask. */
  dirOf(hash: string): Promise<string>;
}

/** Unpacked bundles by hash. Several processes may share `dir`: a bundle appears in it whole, by a rename. */
export function createBundleCache(options: { dir: string; fetch: (hash: string) => Promise<Buffer> }): BundleCache {
  const pending = new Map<string, Promise<string>>();
  const ready = new Set<string>();

  const unpack = async (hash: string, target: string): Promise<string> => {
    if (await isFolder(target)) return target;
    const archive = await options.fetch(hash);
    const draft = join(options.dir, `.${hash.slice(0, 12)}-${randomUUID()}`);
    await mkdir(draft, { recursive: true });
    try {
      const found = await unpackBundle(archive, draft);
      if (found !== hash)
        throw new Error(`Bundle ${hash} is damaged: its files hash to ${found}. Deploy the DAG again.`);
      await rename(draft, target).catch(async (cause: unknown) => {
        // Another process was first; its folder holds the same files.
        if (!(await isFolder(target))) throw cause;
      });
      return target;
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
  };

  return {
    async dirOf(hash) {
      if (!/^[0-9a-f]{64}$/.test(hash)) throw new Error(`'${hash}' is not the hash of a bundle.`);
      const target = join(options.dir, hash);
      if (ready.has(hash)) return target;
      const running = pending.get(hash) ?? unpack(hash, target).finally(() => pending.delete(hash));
      pending.set(hash, running);
      const dir = await running;
      ready.add(hash);
      return dir;
    },
  };
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
