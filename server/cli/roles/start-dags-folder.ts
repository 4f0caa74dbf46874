import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Db } from '#db/client.ts';
import { deactivateDag, deployDag } from '#db/queries/dag.ts';
import { findDagByName } from '#db/queries/dags.ts';
import { clearImportError, clearOtherImportErrors, saveImportError } from '#db/queries/import-errors.ts';
import { findDagFiles } from '../../bundles/find-dag-files.ts';
import { loadFileOrFail } from '../load-file.ts';
import { createDagsFolder } from './dags-folder.ts';
import type { RoleContext } from './role.ts';

/** Names the folder as the source of import errors, and who deployed. */
const SOURCE = 'dags folder';

/** Loads and watches the DAG folder: the configured one, or `dags` here if there is one. Loading goes on behind the start. */
export function openDagsFolder(db: Db, { config, log, shutdown }: RoleContext): void {
  const folder = resolve(config.dags ?? 'dags');
  if (!config.dags && !existsSync(folder))
    return log.info('no DAG folder: set MILLRACE_DAGS to have one loaded and watched');
  const dags = createDagsFolder({
    folder,
    log,
    deployFile: (file) => deployFile(db, file, folder),
    recordError: (file, message) => saveImportError(db, { source: SOURCE, path: file, message }),
    clearError: (file) => clearImportError(db, { source: SOURCE, path: file }),
    deactivate: (dagId) => deactivate(db, dagId),
  });
  shutdown.add('dags folder', () => dags.stop());
  const loading = async () => {
    if (existsSync(folder)) await clearOtherImportErrors(db, SOURCE, findDagFiles(folder));
    await dags.start();
  };
  void loading().catch((error: Error) => log.error(error.message));
}

async function deployFile(db: Db, file: string, folder: string): Promise<{ dagIds: string[]; inputs: string[] }> {
  const { dags, inputs } = await loadFileOrFail(file, folder);
  for (const { spec, bundle } of dags) await deployDag(db, { spec, bundle, actor: SOURCE });
  return { dagIds: dags.map(({ spec }) => spec.dagId), inputs };
}

async function deactivate(db: Db, name: string): Promise<void> {
  const dag = await findDagByName(db, name);
  if (dag) await deactivateDag(db, dag.id, SOURCE);
}
