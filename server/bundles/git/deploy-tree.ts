/** Deploys the DAG files of a commit. */
import { join, relative } from 'node:path';
import type { Db } from '#db/client.ts';
import { holdGitLook, type GitLook } from '#db/queries/git-looks.ts';
import { clearOtherImportErrors } from '#db/queries/import-errors.ts';
import { gitOrigin, type GitCommit } from '#sdk/git-sources.ts';
import type { Logger } from '../../log.ts';
import { createDagSource, DagFileError } from '../dag-source.ts';
import { findDagFiles } from '../find-dag-files.ts';
import { createSourceFiles, type DagSource } from '../source-files.ts';

export interface TreeDeployment {
  db: Db;
  log: Logger;
  look: GitLook;
  commit: GitCommit;
  /** Of the whole repository. */
  tree: string;
  signal: AbortSignal;
}

export interface DeployedTree {
  files: number;
  failedFiles: number;
  /** A DAG of it belongs to another source, which may give it up. */
  taken: boolean;
}

export async function deployTree(deployment: TreeDeployment): Promise<DeployedTree> {
  const { db, look, commit, tree, signal } = deployment;
  const { name, folder: inTree, trusted } = look.source;
  const log = deployment.log.child({ source: name });
  const folder = join(tree, inTree);
  const source = gitOrigin(name);
  const dagSource = createDagSource({
    ...{ db, source, folder, root: tree },
    actor: source,
    authorRole: trusted ? 'admin' : 'editor',
    git: { source: name, commit },
    hold: (trx) => holdGitLook(trx, look),
  });
  const failures = createFailures(dagSource, tree);
  const files = findDagFiles(folder);
  const sourceFiles = createSourceFiles({ ...dagSource, recordError: failures.record }, log);
  await sourceFiles.load(files, () => signal.aborted);
  signal.throwIfAborted();
  await sourceFiles.deactivateGone();
  await clearOtherImportErrors(
    db,
    source,
    files.map((file) => relative(folder, file)),
  );
  const failedFiles = [...sourceFiles.known.values()].filter(({ failed }) => failed).length;
  return { files: files.length, failedFiles, taken: failures.taken() };
}

/** Only what the author can mend becomes an error of the file; anything else ends the look. */
function createFailures(dagSource: DagSource, tree: string) {
  let taken = false;
  return {
    taken: () => taken,
    async record(file: string, error: Error): Promise<void> {
      if (!(error instanceof DagFileError)) throw error;
      taken ||= error.taken;
      // Where the commit lies for a moment is nobody's business
      const message = error.message.replaceAll(`${tree}/`, '').replaceAll(tree, 'the repository');
      await dagSource.recordError(file, new DagFileError(message));
    },
  };
}
