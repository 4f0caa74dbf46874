/** Which Python files of a folder a Python file imports, directly or through others. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';

const IMPORT = /^[ \t]*(?:import[ \t]+([\w., \t]+)|from[ \t]+(\.*[\w.]*)[ \t]+import[ \t]+(\([^)]*\)|[\w, \t*]+))/gm;

/** Module names that a source imports: `a.b`, or `.b` relative to the importing file. */
function importedModules(source: string): string[] {
  const modules: string[] = [];
  for (const [, plain, from, names] of source.matchAll(IMPORT)) {
    if (plain) modules.push(...plain.split(',').map((name) => name.trim().split(/\s/)[0] ?? ''));
    if (from === undefined) continue;
    modules.push(from);
    const dots = from.endsWith('.') ? '' : '.';
    for (const name of (names ?? '').replace(/[()]/g, '').split(','))
      modules.push(`${from}${dots}${name.trim().split(/\s/)[0] ?? ''}`);
  }
  return modules.filter((name) => name !== '');
}

/** Files of a module that lies in the folder: `a.py`, or a package with all its Python files. */
function filesOfModule(root: string, importer: string, module: string): string[] {
  const dots = /^\.*/.exec(module)?.[0].length ?? 0;
  const parts = module.slice(dots).split('.').filter(Boolean);
  let base = '';
  if (dots > 0) base = posix.join(posix.dirname(importer), ...Array<string>(dots - 1).fill('..'));
  if (base.startsWith('..')) return [];
  const found: string[] = [];
  for (let length = 1; length <= parts.length; length++) {
    const path = posix.join(base, ...parts.slice(0, length));
    if (existsSync(join(root, `${path}.py`))) found.push(`${path}.py`);
    else if (existsSync(join(root, path, '__init__.py'))) found.push(...packageFiles(root, path));
  }
  return found;
}

function packageFiles(root: string, path: string): string[] {
  return readdirSync(join(root, path))
    .map((name) => posix.join(path, name))
    .flatMap((entry) => {
      if (statSync(join(root, entry)).isDirectory())
        return entry.endsWith('__pycache__') ? [] : packageFiles(root, entry);
      return entry.endsWith('.py') ? [entry] : [];
    });
}

/** All Python files below `root` that these need, themselves included. Paths are relative to `root`. */
export function pythonFilesNeeded(root: string, files: readonly string[], inlineSources: readonly string[]): string[] {
  const needed = new Set<string>();
  const queue = [...files];
  for (const source of inlineSources)
    for (const module of importedModules(source)) queue.push(...filesOfModule(root, 'inline.py', module));
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (needed.has(path)) continue;
    needed.add(path);
    for (const module of importedModules(readFileSync(join(root, path), 'utf8')))
      queue.push(...filesOfModule(root, path, module));
  }
  return [...needed].sort();
}
