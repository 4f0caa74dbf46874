import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import type { Db } from '#db/client.ts';
import { revokeApiToken } from '#db/queries/api-tokens.ts';
import { appendLogChunks } from '#db/queries/log.ts';
import { readBundle } from '#db/queries/bundles.ts';
import { ensureWarehouse } from '#db/warehouse.ts';
import { createApiToken, createLoginLink } from '../../auth/users.ts';
import { createDirectWorkerApi } from '../../worker/direct-worker-api.ts';
import { printLine } from '../output.ts';
import { ensureSecretKey } from '../secret-key.ts';
import { readServiceFile, removeServiceFile, writeServiceFile } from '../service-file.ts';
import { keepConfiguredCluster, openHealthWatch } from './clusters.ts';
import { checkDatabase, databaseUrl, openDatabase } from './database.ts';
import { openCore, openNotifications, openScheduler, type Core } from './engine.ts';
import { lockHome } from './home-lock.ts';
import { runRole, type RoleContext } from './role.ts';
import { migrateSchema, refuseForeignSchema } from './schema.ts';
import { openDagsFolder } from './start-dags-folder.ts';
import { openLauncher } from './launcher.ts';
import { openLogArchiver } from './logs.ts';
import { openMetrics } from './metrics.ts';
import { openGitWatch } from './git-watch.ts';
import { openRetention } from './retention.ts';
import { openTriggerer } from './triggerer.ts';
import { openWorker, steadyWorkerName } from './worker.ts';

/** Everything in one process. */
export const runStart = (): Promise<void> =>
  runRole('start', async (context) => {
    const { config, shutdown } = context;
    await mkdir(config.home, { recursive: true, mode: 0o711 });
    shutdown.add('home', await lockHome(config.home));
    // It takes longest to load: meanwhile the database starts.
    const http = import('./http.ts');
    const [secretKey, url] = await Promise.all([
      config.secretKey ?? ensureSecretKey(config.home),
      databaseUrl(context),
      http,
    ]);
    const database = openDatabase(url, context);
    await checkDatabase(database);
    await migrateSchema(url);
    await refuseForeignSchema(database);
    const core = await openCore(database, secretKey, context);
    await keepConfiguredCluster(core, context);
    await core.listener.start();
    const { metricsOf, onClusterRequest, counts } = await openMetrics(core, context);
    const address = await (await http).openHttp(core, secretKey, context, onClusterRequest);
    await openScheduler(core, context);
    await openLogArchiver(core, context, counts?.logs);
    await openRetention(core, context, counts?.retained);
    const { suspect } = openHealthWatch(core, context, onClusterRequest);
    await openTriggerer(core, `triggerer ${steadyWorkerName(config.home)}`, context);
    await openLauncher(core, `launcher ${steadyWorkerName(config.home)}`, context, {
      serviceUrl: config.publicUrl,
      suspect,
      metricsOf,
    });
    openGitWatch(core, context);
    openNotifications(core, context, config.publicUrl ?? reachable(address));
    await openLocalWorker(core, context);
    await welcome(core.db, address, context);
    openDagsFolder(core.db, context);
  });

/** Tells a person where to go, and the commands of this user how to get in. */
async function welcome(db: Db, address: string, { config, shutdown }: RoleContext): Promise<void> {
  const before = await readServiceFile(config.home);
  if (before) await revokeApiToken(db, before.tokenId);
  const request = { name: 'millrace start', role: 'admin', expiresInDays: 365, actor: 'start' } as const;
  const { token, row } = await createApiToken(db, request);
  shutdown.add('service file', async () => {
    await removeServiceFile(config.home);
    await revokeApiToken(db, row.id);
  });
  await writeServiceFile(config.home, { url: reachable(address), token, tokenId: row.id });
  const link = await createLoginLink(db, { name: 'admin', role: 'admin' });
  const page = config.publicUrl ?? reachable(address);
  printLine(
    `\nMillrace is ready: ${page}\nSign in with this link, once: ${new URL(link, page).href}\nCtrl-C stops it.\n`,
  );
}

/** Listening on every address is no address to go to. */
const reachable = (address: string): string => address.replace(/\/\/(0\.0\.0\.0|\[::\])/, '//127.0.0.1');

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
  await openWorker({ api, fetchBundle }, steadyWorkerName(config.home), context, { environment });
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
