/** What a built program needs: read off its files in dist/. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const root = join(import.meta.dirname, '../..');
const STATIC = /(?:^|\n)(?:import|export)\s*(?:[^"'();]*?\bfrom\s*)?"([^"]+)"/g;
const DYNAMIC = /import\("([^"]+)"\)/g;

export interface BuiltImports {
  /** Below dist/. */
  files: Set<string>;
  packages: Set<string>;
}

/** With `dynamic`: also what is loaded only when it is needed. */
export function builtImports(entry: string, { dynamic = false } = {}): BuiltImports {
  const files = new Set<string>();
  const packages = new Set<string>();
  const visit = (file: string) => {
    if (files.has(file)) return;
    files.add(file);
    const text = readFileSync(join(root, 'dist', file), 'utf8');
    const named = [...text.matchAll(STATIC), ...(dynamic ? text.matchAll(DYNAMIC) : [])].map((match) => match[1] ?? '');
    for (const name of named)
      if (name.startsWith('.')) visit(join(dirname(file), name));
      else if (!name.startsWith('node:')) packages.add(packageOf(name));
  };
  visit(entry);
  return { files, packages };
}

const packageOf = (name: string): string => name.split('/', name.startsWith('@') ? 2 : 1).join('/');

/** Folders below node_modules of these packages and of all that they depend on, as far as it is installed. */
export function packageFolders(names: Iterable<string>): string[] {
  const found = new Set<string>();
  const visit = (name: string, from: string) => {
    const folder = folderOf(name, from);
    if (folder === null || found.has(folder)) return;
    found.add(folder);
    const { dependencies = {}, optionalDependencies = {} } = JSON.parse(
      readFileSync(join(folder, 'package.json'), 'utf8'),
    ) as { dependencies?: object; optionalDependencies?: object };
    for (const next of Object.keys({ ...dependencies, ...optionalDependencies })) visit(next, folder);
  };
  for (const name of names) visit(name, root);
  return [...found];
}

function folderOf(name: string, from: string): string | null {
  for (const path of createRequire(join(from, 'package.json')).resolve.paths(name) ?? [])
    try {
      readFileSync(join(path, name, 'package.json'));
      return join(path, name);
    } catch {
      continue;
    }
  return null;
}
