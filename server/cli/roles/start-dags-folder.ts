import { existsSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import type { Db } from '#db/client.ts';
import type { DagSpec } from '#sdk/dag-spec.ts';
import { listClusters } from '#db/queries/clusters.ts';
import { clearOtherImportErrors } from '#db/queries/import-errors.ts';
import { createDagSource } from '../../bundles/dag-source.ts';
import { findDagFiles } from '../../bundles/find-dag-files.ts';
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
  const loaded = new Map<string, DagSpec>();
  // Whoever writes into the service's own folder has its machine
  const by = { actor: ACTOR, authorRole: 'admin' };
  const dagSource = createDagSource({
    ...{ db, source, folder, ...by },
    onDeployed: (spec) => loaded.set(spec.dagId, spec),
  });
  const dags = createDagsFolder({ ...dagSource, log });
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
