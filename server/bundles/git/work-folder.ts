/** Where one look keeps what it needs: a folder of its own, which goes with it. */
import { mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isAlive } from '../../runner/process-group.ts';

/** Longer than any look. */
const OLD_MS = 60 * 60_000;

export async function makeWorkFolder(home: string, name: string): Promise<string> {
  await mkdir(home, { recursive: true, mode: 0o700 });
  return mkdtemp(join(home, `${name}.${process.pid}.`));
}

export const removeWorkFolder = (folder: string): Promise<void> =>
  rm(folder, { recursive: true, force: true, maxRetries: 3 });

/** What processes left that were killed: credentials, too, so at once when it is known that they are gone. */
export async function sweepWorkFolders(home: string, now = Date.now()): Promise<void> {
  const names = await readdir(home).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  for (const name of names) {
    const pid = Number(/\.(\d+)\.\w+$/.exec(name)?.[1] ?? NaN);
    const age = await stat(join(home, name)).then(
      ({ mtimeMs }) => now - mtimeMs,
      () => 0,
    );
    if (pid === process.pid || !isAlive(pid) || age > OLD_MS) await removeWorkFolder(join(home, name));
  }
}
