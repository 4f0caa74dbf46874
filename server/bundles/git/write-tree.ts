/** Writes the files of a commit into a folder. Git does not check them out: no filter, hook or attribute of the repository is asked. */
import { mkdir, realpath, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createBlobReader } from './blob-reader.ts';
import type { GitAccess } from './git-access.ts';
import { repositoryOf, runOrExplain } from './read-commit.ts';
import type { GitRun } from './run-git.ts';
import { parseTree, takenEntries, takenLinks, type TreeEntry, type TreeLimits } from './tree-entries.ts';

export interface TreeRequest {
  access: GitAccess;
  work: string;
  sha: string;
  /** Of the DAG files, within the repository. */
  folder: string;
  limits: TreeLimits;
  timeoutMs: number;
  signal: AbortSignal;
}

/** Resolves to the folder with the whole tree. */
export async function writeTree(request: TreeRequest): Promise<string> {
  const { work, sha, folder, limits } = request;
  const tree = join(await realpath(work), 'tree');
  await mkdir(tree);
  const listed = await git(request, ['ls-tree', '-r', '-z', '-l', '--full-tree', sha]);
  const entries = takenEntries(parseTree(listed.stdout.toString('utf8')), folder, limits);
  const targets = new Map<string, string>();
  await readBlobs(request, entries, async (entry, content) => {
    if (entry.kind === 'link') return void targets.set(entry.path, content.toString('utf8'));
    const path = join(tree, entry.path);
    await mkdir(dirname(path), { recursive: true });
    // wx: two names that are one on this disk are refused, not followed
    await writeFile(path, content, { flag: 'wx', mode: entry.executable ? 0o755 : 0o644 });
  });
  // Links come last, so that nothing is written through one
  for (const [path, target] of takenLinks(entries, folder, targets)) {
    await mkdir(dirname(join(tree, path)), { recursive: true });
    await symlink(target, join(tree, path));
  }
  return tree;
}

const git = (request: TreeRequest, args: string[], more: Pick<GitRun, 'onOutput' | 'input'> = {}) =>
  runOrExplain(request, {
    args: [`--git-dir=${repositoryOf(request.work)}`, ...args],
    timeoutMs: request.timeoutMs,
    ...more,
  });

/** The same content may be at several paths. */
async function readBlobs(
  request: TreeRequest,
  entries: readonly TreeEntry[],
  take: (entry: TreeEntry, content: Buffer) => Promise<void>,
): Promise<void> {
  const bySha = new Map<string, TreeEntry[]>();
  for (const entry of entries) bySha.set(entry.sha, [...(bySha.get(entry.sha) ?? []), entry]);
  const reader = createBlobReader();
  const onOutput = async (chunk: Buffer) => {
    for (const { sha, content } of reader.push(chunk))
      for (const entry of bySha.get(sha) ?? []) await take(entry, content);
  };
  const input = [...bySha.keys()].map((sha) => `${sha}\n`).join('');
  await git(request, ['cat-file', '--batch'], { onOutput, input });
  reader.end();
}
