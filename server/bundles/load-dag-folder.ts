import { readdirSync, readFileSync } from 'node:fs';
import { extname, join, resolve } from 'node:path';
import { loadDagFile } from './load-dag-file.ts';
import { SOURCE_EXTENSIONS, SPEC_EXTENSIONS, type LoadedFile } from './loaded-file.ts';

/** Each loader is a Node and an esbuild process; more than a few at once only wait for each other. */
const AT_ONCE = 3;

/** The DAG files of a folder, itself and below: sources that import millrace, and specs with a dagId. */
export function findDagFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      if (/^[._]/.test(entry.name) || entry.name === 'node_modules') return [];
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return findDagFiles(path);
      return entry.isFile() && looksLikeDag(path) ? [path] : [];
    });
}

function looksLikeDag(path: string): boolean {
  const extension = extname(path);
  if (SOURCE_EXTENSIONS.includes(extension))
    return !path.endsWith('.d.ts') && /from\s*['"]millrace['"]/.test(readFileSync(path, 'utf8'));
  return SPEC_EXTENSIONS.includes(extension) && /^[\s{]*["']?dagId["']?\s*:/m.test(readFileSync(path, 'utf8'));
}

/** Loads all DAG files of a folder; `onLoaded` is told of each as it is ready. */
export async function loadDagFolder(
  folder: string,
  onLoaded?: (path: string, loaded: LoadedFile) => void,
): Promise<Map<string, LoadedFile>> {
  const files = findDagFiles(resolve(folder));
  const loaded = new Map<string, LoadedFile>();
  let next = 0;
  const loadSome = async (): Promise<void> => {
    for (let path = files[next++]; path !== undefined; path = files[next++]) {
      const result = await loadDagFile(path);
      loaded.set(path, result);
      onLoaded?.(path, result);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, loadSome));
  return loaded;
}
