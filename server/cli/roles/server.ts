import { keepConfiguredCluster } from './clusters.ts';
import { checkDatabase, openDatabase, openListener } from './database.ts';
import { openEngine, openVault } from './engine.ts';
import { openHttp } from './http.ts';
import { openMetrics } from './metrics.ts';
import { runRole } from './role.ts';

export const runServer = (): Promise<void> =>
  runRole('server', async (context) => {
    const { config, log } = context;
    const database = openDatabase(config.databaseUrl!, context);
    await checkDatabase(database);
    const listener = openListener(database.url, context);
    const vault = openVault(config.secretKey!, context);
    const core = { ...database, listener, vault, engine: openEngine(database, vault, context) };
    await keepConfiguredCluster(core, context);
    await listener.start();
    const { onClusterRequest } = await openMetrics(context);
    const address = await openHttp(core, config.secretKey!, context, onClusterRequest);
    log.info({ address }, 'the API listens');
  });
