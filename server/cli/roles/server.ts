import { keepConfiguredCluster } from './clusters.ts';
import { checkDatabase, openDatabase } from './database.ts';
import { openCore } from './engine.ts';
import { openHttp } from './http.ts';
import { openMetrics } from './metrics.ts';
import { runRole } from './role.ts';
import { refuseForeignSchema } from './schema.ts';

export const runServer = (): Promise<void> =>
  runRole('server', async (context) => {
    const { config, log } = context;
    const database = openDatabase(config.databaseUrl!, context);
    await checkDatabase(database);
    await refuseForeignSchema(database);
    const core = await openCore(database, config.secretKey!, context);
    await keepConfiguredCluster(core, context);
    await core.listener.start();
    const { onClusterRequest } = await openMetrics(core, context);
    const address = await openHttp(core, config.secretKey!, context, onClusterRequest);
    log.info({ address }, 'the API listens');
  });
