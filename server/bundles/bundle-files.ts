/** The files that travel with a DAG beside its code: `files` of the DAG, and what its Python tasks need. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import type { DagSpec } from '#sdk/dag-spec.ts';
import { pythonOf, runtimeOf } from '#sdk/task-code.ts';
import { findPackageFile } from './bundle-source.ts';
import type { BundleFile } from './pack-bundle.ts';
import { pythonFilesNeeded } from './python-imports.ts';
import { requirementsFiles } from './python-requirements.ts';

export interface CollectedFile extends BundleFile {
  /** Where it was read. */
  source: string;
}

/** Throws an error that names what is missing. A requirements.txt is looked for up to `top`. */
export function collectFiles(
  dagFile: string,
  specs: readonly DagSpec[],
  patterns: readonly string[],
  top: string,
): CollectedFile[] {
  const root = dirname(dagFile);
  const found = new Map<string, CollectedFile>();
  for (const pattern of patterns) for (const file of filesOfPattern(root, pattern)) found.set(file.path, file);
  for (const path of pythonFiles(root, specs)) found.set(path, readBundleFile(path, join(root, path)));
  if (specs.some(({ tasks }) => tasks.some((task) => runtimeOf(task) === 'python')))
    for (const file of requirementsFiles(root, top)) add(found, file);
  return [...found.values()];
}

function add(found: Map<string, CollectedFile>, file: CollectedFile): void {
  const other = found.get(file.path);
  if (other && other.source !== file.source)
    throw new Error(`The bundle would hold two files as ${file.path}: ${other.source} and ${file.source}. Rename one.`);
  found.set(file.path, file);
}

function pythonFiles(root: string, specs: readonly DagSpec[]): string[] {
  const callables: string[] = [];
  const sources: string[] = [];
  for (const { dagId, tasks } of specs) {
    for (const task of tasks) {
      const code = pythonOf(task);
      if (!code) continue;
      if (code.source !== null) sources.push(code.source);
      const path = code.callable?.slice(0, code.callable.lastIndexOf(':'));
      if (path === undefined) continue;
      if (!existsSync(join(root, path)))
        throw new Error(
          `Task '${task.taskId}' of DAG '${dagId}' calls ${code.callable}, but there is no ${path} in ${root}.`,
        );
      callables.push(posix.normalize(path));
    }
  }
  return pythonFilesNeeded(root, callables, sources);
}

function filesOfPattern(root: string, pattern: string): CollectedFile[] {
  const path = posix.normalize(pattern);
  if (path.startsWith('/') || path.startsWith('..') || path.includes('\\'))
    throw new Error(`files: '${pattern}' lies outside the DAG file's folder. Name files in it, or in a package.`);
  const matches = path.includes('*') ? globFiles(root, path) : existsSync(join(root, path)) ? allFiles(root, path) : [];
  if (matches.length > 0) return matches.map((match) => readBundleFile(match, join(root, match)));
  const inPackage = path.includes('*') ? null : findPackageFile(path, root);
  if (inPackage !== null && statSync(inPackage).isFile()) return [readBundleFile(path, inPackage)];
  throw new Error(`files: there is no '${pattern}' in ${root}, nor in a package.`);
}

/** `*` stands for anything within one name. */
function globFiles(root: string, pattern: string): string[] {
  let paths = [''];
  for (const part of pattern.split('/')) {
    const regex = new RegExp(`^${part.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '[^/]*')}$`);
    paths = paths
      .filter((path) => path === '' || statSync(join(root, path)).isDirectory())
      .flatMap((path) =>
        readdirSync(join(root, path))
          .filter(
            (name) => regex.test(name) && (!name.startsWith('.') || part.startsWith('.')) && name !== 'node_modules',
          )
          .map((name) => posix.join(path, name)),
      );
  }
  return paths.flatMap((path) => allFiles(root, path));
}

function allFiles(root: string, path: string): string[] {
  const absolute = join(root, path);
  if (!statSync(absolute).isDirectory()) return [path];
  return readdirSync(absolute)
    .filter((name) => !name.startsWith('.') && name !== 'node_modules' && name !== '__pycache__')
    .flatMap((name) => allFiles(root, posix.join(path, name)));
}

const readBundleFile = (path: string, absolute: string): CollectedFile => ({
  path,
  source: absolute,
  content: readFileSync(absolute),
  executable: (statSync(absolute).mode & 0o100) !== 0,
});
