import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stopEmbeddedPostgres } from '#db/embedded.ts';

const PREFIX = 'millrace-trial-';

/** A folder for all that one `millrace test` keeps while it runs. What killed ones left behind is cleaned up first. */
export async function makeTrialFolder(parent = tmpdir()): Promise<string> {
  const names = await readdir(parent);
  await Promise.all(names.filter(isLeftBehind).map((name) => removeTrialFolder(join(parent, name))));
  return mkdtemp(join(parent, `${PREFIX}${process.pid}-`));
}

/** Stops the PostgreSQL in it, should it still run. */
export async function removeTrialFolder(folder: string): Promise<void> {
  await stopEmbeddedPostgres(join(folder, 'postgres'));
  await rm(folder, { recursive: true, force: true });
}

function isLeftBehind(name: string): boolean {
  const pid = name.startsWith(PREFIX) ? Number(/^\d+/.exec(name.slice(PREFIX.length))?.[0]) : NaN;
  if (!(pid > 0) || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}
