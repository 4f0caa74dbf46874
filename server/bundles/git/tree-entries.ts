/** What a commit holds, before anything of it is written: which entries are taken, and which are refused. Pure. */
import { GitProblem } from './git-problem.ts';
import { resolveLink } from './resolve-link.ts';

export interface TreeEntry {
  path: string;
  kind: 'file' | 'link' | 'submodule';
  executable: boolean;
  /** Of the blob that it holds. */
  sha: string;
  size: number;
}

export interface TreeLimits {
  /** Of all files together. */
  bytes: number;
  fileBytes: number;
  files: number;
}

const LINE = /^(\d{6}) (\w+) ([0-9a-f]{40,64}) +(\d+|-)\t([^]+)$/;
const KINDS: { [mode: string]: TreeEntry['kind'] } = { '120000': 'link', '160000': 'submodule' };

/** From `git ls-tree -r -z -l`. */
export function parseTree(output: string): TreeEntry[] {
  return output
    .split('\0')
    .filter(Boolean)
    .map((line) => {
      const [, mode = '', , sha = '', size, path = ''] = LINE.exec(line) ?? [];
      if (path === '') throw new GitProblem(`The commit has an entry that cannot be read: ${JSON.stringify(line)}.`);
      return { path, kind: KINDS[mode] ?? 'file', executable: mode === '100755', sha, size: Number(size) || 0 };
    });
}

/**
 * The entries to write. In the folder of the DAG files whatever is not taken is refused, by name; elsewhere it is left out: a
 * repository may hold more than DAGs.
 */
export function takenEntries(entries: readonly TreeEntry[], folder: string, limits: TreeLimits): TreeEntry[] {
  const inFolder = (path: string) => folder === '' || path.startsWith(`${folder}/`);
  const taken = entries.filter((entry) => {
    const problem = entryProblem(entry, limits);
    if (problem !== null && inFolder(entry.path)) throw new GitProblem(`${entry.path} ${problem}`);
    return problem === null;
  });
  if (!taken.some(({ path }) => inFolder(path)))
    throw new GitProblem(
      folder === ''
        ? 'The commit holds no files.'
        : `The commit has no folder "${folder}". Its DAGs stay as they were.`,
    );
  const bytes = taken.reduce((sum, { size }) => sum + size, 0);
  if (taken.length > limits.files)
    throw new GitProblem(`The commit has ${taken.length} files; at most ${limits.files} are allowed.`);
  if (bytes > limits.bytes)
    throw new GitProblem(
      `The files of the commit take ${mib(bytes)}, at most ${mib(limits.bytes)} are allowed. Keep large data out of the repository, or raise MILLRACE_GIT_MAX_SIZE.`,
    );
  return taken;
}

function entryProblem({ path, kind, size }: TreeEntry, limits: TreeLimits): string | null {
  if (path.includes('\uFFFD') || /[\\\p{Cc}]/u.test(path)) return 'has a name that cannot be written everywhere.';
  if (path.split('/').some((part) => ['', '.', '..'].includes(part) || part.toLowerCase() === '.git'))
    return 'has a name that leads out of its folder.';
  if (kind === 'submodule')
    return 'is a submodule, and submodules are not fetched: put its files into the repository, or make it a source of its own.';
  if (size > limits.fileBytes)
    return `has ${mib(size)}; a file has ${mib(limits.fileBytes)} at most. Keep large data in an object store.`;
  return null;
}

/** Symbolic links among the entries that may be made, each with where it points to. `targets`: what a link says, by path. */
export function takenLinks(
  entries: readonly TreeEntry[],
  folder: string,
  targets: ReadonlyMap<string, string>,
): Map<string, string> {
  const links = new Map<string, string>();
  const files = new Set(entries.filter(({ kind }) => kind === 'file').map(({ path }) => path));
  for (const [path, target] of targets) {
    const end = resolveLink({ files, links: targets }, path);
    if (end === 'inside') links.set(path, target);
    else if (end !== 'nowhere' && (folder === '' || path.startsWith(`${folder}/`)))
      throw new GitProblem(
        end === 'outside'
          ? `${path} is a symbolic link to ${target}, which leads out of the repository.`
          : `${path} is a symbolic link that leads back to itself.`,
      );
  }
  return links;
}

const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
