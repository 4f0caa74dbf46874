import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Bytes of all files below a folder, while somebody else writes there: what has gone meanwhile counts nothing. */
export async function folderSize(folder: string): Promise<number> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(noneIfGone<never[]>([]));
  let total = 0;
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    // Its name since Node 20.12
    const { size } = await lstat(join(entry.parentPath, entry.name)).catch(noneIfGone({ size: 0 }));
    total += size;
  }
  return total;
}

const noneIfGone =
  <T>(none: T) =>
  (error: NodeJS.ErrnoException): T => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return none;
    throw error;
  };
