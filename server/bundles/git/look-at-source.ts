/** One look at a Git source: has it a new commit, and if so, deploy what that holds. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Db } from '#db/client.ts';
import { openGitCredentials, type GitLook, type GitOutcome } from '#db/queries/git-looks.ts';
import { VaultError, type Vault } from '#db/vault.ts';
import type { GitCredentials } from '#sdk/git-sources.ts';
import { gitPolicyProblem, type GitPolicy } from '#sdk/git-policy.ts';
import { readGitUrl, type GitUrl } from '#sdk/git-url.ts';
import type { Logger } from '../../log.ts';
import { findAddresses } from './check-address.ts';
import { deployTree } from './deploy-tree.ts';
import { openGitAccess } from './git-access.ts';
import { GitProblem } from './git-problem.ts';
import { askRemote, fetchCommit, type GitLimits } from './read-commit.ts';
import { makeWorkFolder, removeWorkFolder } from './work-folder.ts';
import { writeTree } from './write-tree.ts';

export interface GitLookDeps {
  db: Db;
  vault: Vault;
  log: Logger;
  /** Folder of the folders of looks. */
  home: string;
  policy: GitPolicy;
  environment: { [name: string]: string };
  limits: GitLimits;
}

const FILE_BYTES = 32 * 2 ** 20;
const FILES = 20_000;

/** Rejects with a GitProblem when the repository is to blame. */
export async function lookAtSource(deps: GitLookDeps, look: GitLook, signal: AbortSignal): Promise<GitOutcome> {
  const { source } = look;
  const { home, limits } = deps;
  const url = allowedUrl(source.url, deps.policy);
  const credentials = openCredentials(deps.vault, look);
  const addresses = await addressesOf(url, deps);
  const work = await makeWorkFolder(home, source.name);
  try {
    const access = await openGitAccess({ work, url, credentials, addresses, environment: deps.environment });
    const remote = { url: source.url, ref: source.ref, access, work, signal, limits };
    const named = await askRemote(remote);
    if (!look.reload && named.sha === source.commit_sha) return { problem: null, deployed: null, reload: false };
    const began = performance.now();
    const commit = await fetchCommit(remote, named);
    // DAG files are loaded next: nothing of this is there for them to read
    await access.forget();
    const tree = await writeTree({
      ...{ access, work, signal, sha: commit.sha, folder: source.folder, timeoutMs: limits.fetchMs },
      limits: { bytes: limits.maxBytes, fileBytes: FILE_BYTES, files: FILES },
    });
    if (!existsSync(join(tree, source.folder))) throw new GitProblem(`The commit has no folder "${source.folder}".`);
    const { files, failedFiles, taken } = await deployTree({ ...deps, look, commit, tree, signal });
    const durationMs = Math.round(performance.now() - began);
    // A file may also have failed for want of time or memory: it is tried once more
    const again = failedFiles > 0 && commit.sha !== source.commit_sha;
    return { problem: null, deployed: { commit, files, failedFiles, durationMs }, reload: taken || again };
  } finally {
    await removeWorkFolder(work);
  }
}

/** What the API let through may have become forbidden since. */
function allowedUrl(text: string, policy: GitPolicy): GitUrl {
  const url = readGitUrl(text);
  const problem = typeof url === 'string' ? url : gitPolicyProblem(url, policy);
  if (typeof url === 'string' || problem !== null) throw new GitProblem(problem ?? '');
  return url;
}

function openCredentials(vault: Vault, look: GitLook): GitCredentials {
  try {
    return openGitCredentials(vault, look);
  } catch (error) {
    if (error instanceof VaultError) throw new GitProblem(error.message, { cause: error });
    throw error;
  }
}

async function addressesOf({ host }: GitUrl, { policy, environment }: GitLookDeps): Promise<string[] | null> {
  if (host === null) return null;
  const hasProxy = Object.keys(environment).some((name) => /^(https?|all)_proxy$/i.test(name));
  return findAddresses(host, policy, hasProxy);
}
