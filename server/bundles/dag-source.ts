/** A source of DAGs as the database keeps it: versions, who keeps which DAG, and the files that do not load. */
import { relative } from 'node:path';
import type { Transaction } from 'kysely';
import type { Db } from '#db/client.ts';
import { deactivateDag, deployDag, type DeployRequest } from '#db/queries/dag.ts';
import { listActiveOf } from '#db/queries/dags.ts';
import { clearImportError, saveImportError } from '#db/queries/import-errors.ts';
import type { DB } from '#db/types.ts';
import type { DagSpec } from '#sdk/dag-spec.ts';
import { ownerProblem } from './dag-owner.ts';
import { describeLoadErrors } from './describe-load-errors.ts';
import { loadDagFile } from './load-dag-file.ts';
import type { DagSource } from './source-files.ts';

export interface DagSourceDeps {
  db: Db;
  /** What it calls itself, such as `folder:/dags`. */
  source: string;
  folder: string;
  /** No file outside of it may be read; any may when not given. */
  root?: string;
  /** For people. */
  actor: string;
  authorRole: string;
  git?: DeployRequest['git'];
  /** Throws when this source may not write any more. First thing in each transaction. */
  hold?(trx: Transaction<DB>): Promise<void>;
  onDeployed?(spec: DagSpec): void;
}

/** The file is to blame, or that another source has its DAG (`taken`): mended by the author. */
export class DagFileError extends Error {
  readonly taken: boolean;
  constructor(message: string, taken = false) {
    super(message);
    this.name = 'DagFileError';
    this.taken = taken;
  }
}

export function createDagSource(deps: DagSourceDeps): DagSource {
  const { db, source, folder, root, actor, authorRole, git = null, hold, onDeployed } = deps;
  const placeOf = (file: string) => ({ source, path: relative(folder, file) });
  const write = <T>(work: (trx: Transaction<DB>) => Promise<T>): Promise<T> =>
    db.transaction().execute(async (trx) => {
      await hold?.(trx);
      return work(trx);
    });
  return {
    folder,
    async deployFile(file) {
      const { dags, errors, inputs } = await loadDagFile(file, {
        top: folder,
        ...(root !== undefined && { root, top: root }),
      });
      if (errors.length > 0) throw new DagFileError(describeLoadErrors(errors, folder));
      for (const { spec, bundle } of dags) {
        const check: DeployRequest['check'] = async (trx, lock) => {
          await hold?.(trx);
          const problem = ownerProblem(spec.dagId, await lock(), source);
          if (problem !== null) throw new DagFileError(problem, true);
        };
        await deployDag(db, { spec, bundle, actor, authorRole, git, origin: placeOf(file), check });
        onDeployed?.(spec);
      }
      return { dagIds: dags.map(({ spec }) => spec.dagId), inputs };
    },
    recordError: (file, { message }) => write((trx) => saveImportError(trx, { ...placeOf(file), message })),
    clearError: (file) => write((trx) => clearImportError(trx, placeOf(file))),
    listActive: () => listActiveOf(db, source),
    deactivate: ({ id, path }) => write((trx) => deactivateDag(trx, id, { source, path }, actor)),
  };
}
