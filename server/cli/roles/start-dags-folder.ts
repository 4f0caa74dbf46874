import { existsSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import type { Db } from '#db/client.ts';
import type { DagSpec } from '#sdk/dag-spec.ts';
import { listClusters } from '#db/queries/clusters.ts';
import { deactivateDag, deployDag } from '#db/queries/dag.ts';
import { listActiveOf } from '#db/queries/dags.ts';
import { clearImportError, clearOtherImportErrors, saveImportError } from '#db/queries/import-errors.ts';
import { findDagFiles } from '../../bundles/find-dag-files.ts';
import { loadFileOrFail } from '../load-file.ts';
import { createDagsFolder } from './dags-folder.ts';
import type { RoleContext } from './role.ts';
import { withoutCluster } from './without-cluster.ts';

/** Who deployed and deactivated, for people. */
const ACTOR = 'dags folder';

/** Loads and watches the DAG folder: the configured one, or `dags` here if there is one. Loading goes on behind the start. */
export function openDagsFolder(db: Db, { config, log, shutdown }: RoleContext): void {
  const folder = resolve(config.dags ?? 'dags');
  if (!config.dags && !existsSync(folder))
    return log.info('no DAG folder: set MILLRACE_DAGS to have one loaded and watched');
  const source = `folder:${folder}`;
  const placeOf = (file: string) => ({ source, path: relative(folder, file) });
  const loaded = new Map<string, DagSpec>();
  const dags = createDagsFolder({
    folder,
    log,
    async deployFile(file) {
      const { dags, inputs } = await loadFileOrFail(file, folder);
      // Whoever writes into the service's own folder has its machine
      const by = { actor: ACTOR, authorRole: 'admin', origin: placeOf(file) };
      for (const { spec, bundle } of dags) await deployDag(db, { spec, bundle, ...by });
      for (const { spec } of dags) loaded.set(spec.dagId, spec);
      return { dagIds: dags.map(({ spec }) => spec.dagId), inputs };
    },
    recordError: (file, message) => saveImportError(db, { ...placeOf(file), message }),
    clearError: (file) => clearImportError(db, placeOf(file)),
    listActive: () => listActiveOf(db, source),
    deactivate: ({ id, path }) => deactivateDag(db, id, { source, path }, ACTOR),
  });
  shutdown.add('dags folder', () => dags.stop());
  const loading = async () => {
    if (existsSync(folder)) {
      const present = findDagFiles(folder).map((file) => relative(folder, file));
      await clearOtherImportErrors(db, source, present);
    }
    await dags.start();
    const clusters = (await listClusters(db)).map(({ name }) => name);
    const note = withoutCluster([...loaded.values()], clusters);
    if (note !== null) log.info(note);
    loaded.clear();
  };
  void loading().catch((error: Error) => log.error(error.message));
}
