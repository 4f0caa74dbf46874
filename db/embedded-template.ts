/** PostgreSQL for a moment: a migrated server in a folder of its own, copied from a template so that it is there in a blink. */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, rename, rm, stat, symlink, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startEmbeddedPostgres, type EmbeddedPostgres } from './embedded.ts';
import { migrate } from './migrate.ts';
import { migrationsHash } from './migrations.ts';
import { ensureWarehouse } from './warehouse.ts';

export interface TemplateOptions {
  /** Where templates are kept from one start to the next. */
  cache: string;
  /** Belongs to this server alone; must not exist. */
  dataDir: string;
  /** There is no template yet: this start takes longer. */
  onPrepare?(): void;
}

/** Templates of other versions that nobody has used for so long are removed. */
const UNUSED_MS = 14 * 86_400_000;

/** Its schema is up to date, a warehouse is there, durability is off. */
export async function startFromTemplate({ cache, dataDir, onPrepare }: TemplateOptions): Promise<EmbeddedPostgres> {
  const template = join(cache, `${process.platform}-${process.arch}-${(await migrationsHash()).slice(0, 16)}`);
  if (!existsSync(template)) {
    onPrepare?.();
    await makeTemplate(cache, template);
  }
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  for (const name of await readdir(template)) {
    if (name.startsWith('binaries-')) await symlink(join(template, name), join(dataDir, name), 'dir');
    else await copyTree(join(template, name), dataDir, name);
  }
  await utimes(template, new Date(), new Date());
  const server = await startEmbeddedPostgres({ dataDir, ephemeral: true });
  // Partitions of today: the template may be older
  await migrate(server.url);
  return server;
}

async function makeTemplate(cache: string, template: string): Promise<void> {
  const draft = join(cache, `.draft-${randomUUID()}`);
  await mkdir(draft, { recursive: true, mode: 0o711 });
  try {
    const server = await startEmbeddedPostgres({ dataDir: join(draft, 'data'), ephemeral: true });
    try {
      await migrate(server.url);
      await ensureWarehouse(server.url);
    } finally {
      await server.stop();
    }
    await rm(join(draft, 'data', 'postgres.log'), { force: true });
    await rename(join(draft, 'data'), template).catch((cause: unknown) => {
      // Another process was first; its template is as good.
      if (!existsSync(template)) throw cause;
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  await removeUnused(cache, template);
}

async function removeUnused(cache: string, current: string): Promise<void> {
  for (const name of await readdir(cache)) {
    const path = join(cache, name);
    if (path === current) continue;
    const age =
      Date.now() -
      (await stat(path).then(
        ({ mtimeMs }) => mtimeMs,
        () => Date.now(),
      ));
    if (age > UNUSED_MS) await rm(path, { recursive: true, force: true });
  }
}

/** The system's `cp` is ten times faster than Node's, and keeps the owner, who is not root. */
async function copyTree(from: string, folder: string, name: string): Promise<void> {
  if (process.platform === 'win32') return cp(from, join(folder, name), { recursive: true });
  await promisify(execFile)('cp', ['-Rp', from, join(folder, name)]);
}
