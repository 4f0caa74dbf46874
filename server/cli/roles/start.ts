import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { appendLogChunks } from '#db/queries/log.ts';
import { readBundle } from '#db/queries/bundles.ts';
import { migrate } from '#db/migrate.ts';
import { ensureWarehouse } from '#db/warehouse.ts';
import { createDirectWorkerApi } from '../../worker/direct-worker-api.ts';
import { checkDatabase, databaseUrl, openDatabase, openListener } from './database.ts';
import { openEngine, openScheduler, type Core } from './engine.ts';
import { runRole, type RoleContext } from './role.ts';
import { openDagsFolder } from './start-dags-folder.ts';
import { openWorker, steadyWorkerName } from './worker.ts';

/** Everything in one process. */
export const runStart = (): Promise<void> =>
  runRole('start', async (context) => {
    const { config } = context;
    await mkdir(config.home, { recursive: true, mode: 0o711 });
    const url = await databaseUrl(context);
    const database = openDatabase(url, context);
    await checkDatabase(database);
    await migrate(url);
    const listener = openListener(url, context);
    const core = { ...database, listener, engine: openEngine(database, context) };
    await listener.start();
    await openScheduler(core, context);
    await openLocalWorker(core, context);
    openDagsFolder(core.db, context);
  });

async function openLocalWorker(core: Core, context: RoleContext): Promise<void> {
  const { config, log } = context;
  const { db, pool, engine, listener } = core;
  const api = createDirectWorkerApi({
    db,
    engine,
    listener,
    appendLogs: async (chunks) => void (await appendLogChunks(pool, chunks)),
  });
  const fetchBundle = async (hash: string) => {
    const archive = await readBundle(db, hash);
    if (!archive) throw new Error(`Bundle ${hash} is not stored. Deploy the DAG again.`);
    return archive;
  };
  // Only our own server lets us make a database; elsewhere it is for the operator to give one.
  const environment: { [name: string]: string } = config.databaseUrl
    ? {}
    : { MILLRACE_WAREHOUSE_URL: await ensureWarehouse(core.url) };
  await openWorker(api, fetchBundle, steadyWorkerName(config.home), context, { environment });
  void hasPython(config.worker.python).then((found) => {
    if (!found)
      log.warn(`"${config.worker.python}" was not found: python tasks will fail. Install it or set MILLRACE_PYTHON.`);
  });
}

function hasPython(command: string): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(command, ['--version'], { stdio: 'ignore' });
    child.on('error', () => resolve(false)).on('exit', (code) => resolve(code === 0));
  });
}
