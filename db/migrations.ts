/** The migrations of this build: numbered SQL files, each an expansion of the schema unless it says otherwise. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

export interface Migration {
  name: string;
  sql: string;
  /**
   * The oldest release that can live with the schema after it. Null: it only adds, and the release before does not notice. A migration
   * that takes something away says so in a line of its own: `-- contract: 0.4.0, the column is read by 0.2 last`.
   */
  needs: string | null;
}

/** In a bundle they lie beside the package's root, two or more folders up. */
function migrationsDirectory(): URL {
  for (const path of ['./migrations/', '../db/migrations/', '../../db/migrations/', '../../../db/migrations/']) {
    const url = new URL(path, import.meta.url);
    if (existsSync(new URL('0001_initial.sql', url))) return url;
  }
  throw new Error(`No migrations found beside ${fileURLToPath(import.meta.url)}: the installation is incomplete.`);
}

/** In order. */
export async function readMigrations(directory: URL = migrationsDirectory()): Promise<Migration[]> {
  const names = (await readdir(directory)).filter((name) => /^\d+_.*\.sql$/.test(name)).sort();
  return Promise.all(
    names.map(async (name) => {
      const sql = await readFile(new URL(name, directory), 'utf8');
      return { name, sql, needs: /^-- contract: (\d+\.\d+\.\d+)\b/m.exec(sql)?.[1] ?? null };
    }),
  );
}

/** Changes with any migration: databases of the same hash have the same schema. */
export async function migrationsHash(): Promise<string> {
  const hash = createHash('sha256');
  for (const { name, sql } of await readMigrations()) hash.update(`${name}\0`).update(sql);
  return hash.digest('hex');
}
