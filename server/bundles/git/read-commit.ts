/** Asks a repository for the commit of a branch or tag, and brings that one commit. */
import { join } from 'node:path';
import type { GitCommit } from '#sdk/git-sources.ts';
import { explainGitError } from './explain-git-error.ts';
import type { GitAccess } from './git-access.ts';
import { GitProblem } from './git-problem.ts';
import { runGit, type GitEnd, type GitRun } from './run-git.ts';

export interface Remote {
  url: string;
  /** Null: its default branch. */
  ref: string | null;
  access: GitAccess;
  /** A folder of this look alone. */
  work: string;
  signal: AbortSignal;
  limits: GitLimits;
}

export interface GitLimits {
  /** To be asked what it has. */
  askMs: number;
  /** To bring a commit. */
  fetchMs: number;
  maxBytes: number;
}

export interface RemoteRef {
  /** In full: `refs/heads/main`, `HEAD`. */
  name: string;
  sha: string;
}

/** Of a tag that is an object of its own, the commit that it names. */
export async function askRemote(remote: Remote): Promise<RemoteRef> {
  const { url, ref } = remote;
  const names = ref === null ? ['HEAD'] : ref.startsWith('refs/') ? [ref] : [`refs/heads/${ref}`, `refs/tags/${ref}`];
  const patterns = names.flatMap((name) => (name.startsWith('refs/tags/') ? [name, `${name}^{}`] : [name]));
  const run = { args: ['ls-remote', '--quiet', '--', url, ...patterns], timeoutMs: remote.limits.askMs };
  const { stdout } = await runOrExplain(remote, run);
  const found = new Map<string, string>();
  for (const line of stdout.toString('utf8').split('\n')) {
    const [, sha, name] = /^([0-9a-f]{40,64})\t(.+)$/.exec(line) ?? [];
    if (sha !== undefined && name !== undefined) found.set(name, sha);
  }
  for (const name of names) {
    const sha = found.get(`${name}^{}`) ?? found.get(name);
    if (sha !== undefined) return { name, sha };
  }
  throw new GitProblem(
    ref === null
      ? 'The repository has no commit yet, or no default branch.'
      : `The repository has no branch or tag "${ref}".`,
  );
}

const OURS = 'refs/millrace/commit';
const FORMAT = ['%H', '%an <%ae>', '%cI', '%B'].join('%x00');
const MOST_MESSAGE = 2_000;

export const repositoryOf = (work: string): string => join(work, 'repository');

/** Brings what the ref names now, which may be newer than what was asked for. */
export async function fetchCommit(remote: Remote, { name }: RemoteRef): Promise<GitCommit> {
  const repository = repositoryOf(remote.work);
  const { askMs: timeoutMs, fetchMs, maxBytes } = remote.limits;
  await runOrExplain(remote, { args: ['init', '--quiet', '--bare', '--template=', repository], timeoutMs });
  const options = ['--quiet', '--depth=1', '--no-tags', '--no-recurse-submodules', '--no-auto-maintenance'];
  await runOrExplain(remote, {
    args: [`--git-dir=${repository}`, 'fetch', ...options, '--', remote.url, `+${name}:${OURS}`],
    timeoutMs: fetchMs,
    folder: { path: repository, maxBytes },
  });
  const log = ['log', '-1', '--no-show-signature', '--encoding=UTF-8', `--format=${FORMAT}`, OURS, '--'];
  const { stdout } = await runOrExplain(remote, { args: [`--git-dir=${repository}`, ...log], timeoutMs });
  const [sha = '', author = '', at = '', message = ''] = stdout.toString('utf8').split('\0');
  return { sha, author: clean(author), message: clean(message.trim()), at: new Date(at) };
}

/** For a column of the database and for people; no half of a character at the end. */
const clean = (text: string): string =>
  text
    .replace(/[^\P{Cc}\n]/gu, '')
    .slice(0, MOST_MESSAGE)
    .replace(/[\uD800-\uDBFF]$/, '');

/** Rejects with a GitProblem unless Git succeeds. */
export async function runOrExplain(
  { access, work, signal }: Pick<Remote, 'access' | 'work' | 'signal'>,
  run: Pick<GitRun, 'args' | 'timeoutMs' | 'folder' | 'onOutput' | 'input'>,
): Promise<GitEnd> {
  const { environment, settings, secrets } = access;
  const end = await runGit({ ...run, args: [...settings, ...run.args], environment, cwd: work, signal });
  if (end.code !== 0) throw explainGitError(end.stderr, end.code, secrets);
  return end;
}
