import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { SOURCE_EXTENSIONS, SPEC_EXTENSIONS } from './loaded-file.ts';

/** The DAG files of a folder, itself and below: sources that call dag() of millrace, and specs with a dagId. */
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
  if (path.endsWith('.d.ts') || ![...SOURCE_EXTENSIONS, ...SPEC_EXTENSIONS].includes(extension)) return false;
  const text = readFileSync(path, 'utf8');
  if (SPEC_EXTENSIONS.includes(extension)) return /(^|[{,\s])["']?dagId["']?\s*:/.test(text);
  // A module of functions for several DAGs imports millrace too, but makes none.
  return /from\s*['"]millrace['"]/.test(text) && /\bdag\s*(<[^>]*>)?\(/.test(text);
}
