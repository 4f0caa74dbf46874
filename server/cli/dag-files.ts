import { readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';

const DAG_FILE = /\.(ts|mts|js|mjs|yaml|yml|json)$/;
/** Not DAGs: declarations, and what only accompanies one. */
const SKIPPED = /(\.d\.ts|\.test\.ts|^package(-lock)?\.json|^tsconfig\.json)$/;

/** The DAG files of a folder, not of those below it (they hold what DAGs import); or the one file that `path` names. */
export async function findDagFiles(path: string): Promise<string[]> {
  const full = resolve(path);
  if (!(await stat(full)).isDirectory()) return [full];
  const names = (await readdir(full, { withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name);
  return names
    .filter((name) => DAG_FILE.test(name) && !SKIPPED.test(name) && !/^[._]/.test(name))
    .sort()
    .map((name) => join(full, name));
}
