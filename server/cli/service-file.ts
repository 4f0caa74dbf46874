import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What `millrace start` leaves in MILLRACE_HOME for the commands of the same user: where it listens and a token. */
export interface ServiceFile {
  url: string;
  token: string;
  /** Revoked when it stops, or by the next start. */
  tokenId: number;
}

const fileIn = (home: string) => join(home, 'service.json');

export async function writeServiceFile(home: string, service: ServiceFile): Promise<void> {
  await mkdir(home, { recursive: true, mode: 0o711 });
  const unfinished = `${fileIn(home)}.${process.pid}`;
  await writeFile(unfinished, `${JSON.stringify(service)}\n`, { mode: 0o600 });
  await rename(unfinished, fileIn(home));
}

export async function readServiceFile(home: string): Promise<ServiceFile | null> {
  try {
    return JSON.parse(await readFile(fileIn(home), 'utf8')) as ServiceFile;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new Error(`Cannot read ${fileIn(home)}. Remove it and run "millrace start" again.`, { cause: error });
  }
}

export const removeServiceFile = (home: string): Promise<void> => rm(fileIn(home), { force: true });
