/** Makes room in a folder of unpacked bundles, or of what else is kept by hash. */
import { randomUUID } from 'node:crypto';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { heldHashes } from './bundle-holds.ts';
import { folderSize } from './folder-size.ts';

/** No draft is filled for so long: an installation of packages ends after half of it. */
const OLD_DRAFT_MS = 60 * 60_000;

/** Until they take `limit` bytes: what was used longest ago first, and nothing that a living process holds. */
export async function trimBundles(dir: string, limit: number): Promise<void> {
  const bundles: { hash: string; bytes: number; usedAt: number }[] = [];
  for (const name of await readdir(dir)) {
    const path = join(dir, name);
    const found = await stat(path).catch(() => null);
    if (!found?.isDirectory()) continue;
    if (/^[0-9a-f]{64}$/.test(name)) bundles.push({ hash: name, bytes: await folderSize(path), usedAt: found.mtimeMs });
    else if (name !== '.held' && Date.now() - found.mtimeMs > OLD_DRAFT_MS) await remove(path);
  }
  let total = bundles.reduce((sum, { bytes }) => sum + bytes, 0);
  for (const { hash, bytes } of bundles.sort((a, b) => a.usedAt - b.usedAt)) {
    if (total <= limit) return;
    if ((await heldHashes(dir)).has(hash)) continue;
    // Out of the way in one step: nobody finds half of it
    const gone = join(dir, `.gone-${randomUUID()}`);
    await rename(join(dir, hash), gone);
    if ((await heldHashes(dir)).has(hash)) await rename(gone, join(dir, hash)).catch(() => remove(gone));
    else {
      await remove(gone);
      total -= bytes;
    }
  }
}

const remove = (path: string) => rm(path, { recursive: true, force: true });
