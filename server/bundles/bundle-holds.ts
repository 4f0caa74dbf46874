/** Which bundles are in use, told to other processes by a file for each: `.held/<hash>.<pid>`. */
import { rmSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isAlive } from '../runner/process-group.ts';

export interface Holds {
  /** True: it is known to be there, and has been held since. */
  hold(hash: string, holder: string): Promise<boolean>;
  /** It is there, while it is held. */
  confirm(hash: string): void;
  release(holder: string): void;
}

interface Hold {
  holders: Set<string>;
  confirmed: boolean;
  marked: Promise<void>;
  ending?: NodeJS.Timeout;
}

const LINGER_MS = 30_000;
const folderOf = (dir: string) => join(dir, '.held');

/** Tasks of a DAG follow each other: a hold lingers, so that most of them ask the disk nothing. */
export function createHolds(dir: string, lingerMs = LINGER_MS): Holds {
  const holds = new Map<string, Hold>();
  const hashOf = new Map<string, string>();
  const fileOf = (hash: string) => join(folderOf(dir), `${hash}.${process.pid}`);

  const mark = async (hash: string): Promise<void> => {
    await mkdir(folderOf(dir), { recursive: true });
    await writeFile(fileOf(hash), '');
  };
  const end = (hash: string) => {
    holds.delete(hash);
    // At once, so that it cannot overtake the next hold
    rmSync(fileOf(hash), { force: true });
  };

  return {
    async hold(hash, holder) {
      hashOf.set(holder, hash);
      const hold = holds.get(hash) ?? { holders: new Set(), confirmed: false, marked: mark(hash) };
      holds.set(hash, hold);
      clearTimeout(hold.ending);
      hold.holders.add(holder);
      await hold.marked.catch((error: unknown) => {
        holds.delete(hash);
        throw error;
      });
      return hold.confirmed;
    },
    confirm(hash) {
      const hold = holds.get(hash);
      if (hold) hold.confirmed = true;
    },
    release(holder) {
      const hash = hashOf.get(holder);
      const hold = hash === undefined ? undefined : holds.get(hash);
      hashOf.delete(holder);
      if (hash === undefined || !hold?.holders.delete(holder) || hold.holders.size > 0) return;
      if (lingerMs === 0) end(hash);
      else hold.ending = setTimeout(() => end(hash), lingerMs).unref();
    },
  };
}

/** Hashes that a living process holds. */
export async function heldHashes(dir: string): Promise<Set<string>> {
  const held = new Set<string>();
  for (const name of await readdir(folderOf(dir)).catch(() => [])) {
    const [hash = '', pid] = name.split('.');
    if (isAlive(Number(pid))) held.add(hash);
    else await rm(join(folderOf(dir), name), { force: true });
  }
  return held;
}
