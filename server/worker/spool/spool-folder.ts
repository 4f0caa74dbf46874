/** Where a worker writes down what the service does not take: a folder for each process, so that it is known whose it is. */
import { randomUUID } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { isAlive } from '../../runner/process-group.ts';

/** On a folder that machines share, whose process is elsewhere cannot be asked: what nobody has written to since then is left behind. */
const QUIET_MS = 24 * 3_600_000;
const NAME = /^(.+)~(\d+)-[0-9a-f-]{36}$/;
/** Of this process. */
const own = new Set<string>();

/** Not made yet: most never need it. */
export function newSpoolFolder(home: string): string {
  const name = `${hostname()}~${process.pid}-${randomUUID()}`;
  own.add(name);
  return join(home, name);
}

/** Of processes that are gone, oldest first. A process id may be used anew, in a container always by the same program. */
export async function abandonedFolders(home: string): Promise<string[]> {
  const found: { path: string; at: number }[] = [];
  for (const name of await readdir(home).catch(() => [])) {
    const [, host, pid] = NAME.exec(name) ?? [];
    if (host === undefined || own.has(name)) continue;
    const path = join(home, name);
    const at = (await stat(path)).mtimeMs;
    const isOver =
      host === hostname() ? Number(pid) === process.pid || !isAlive(Number(pid)) : at < Date.now() - QUIET_MS;
    if (isOver) found.push({ path, at });
  }
  return found.sort((a, b) => a.at - b.at).map(({ path }) => path);
}
