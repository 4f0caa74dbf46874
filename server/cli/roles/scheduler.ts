import { hostname } from 'node:os';
import { openHealthWatch } from './clusters.ts';
import { checkDatabase, openDatabase } from './database.ts';
import { openCore, openNotifications, openScheduler } from './engine.ts';
import { runRole } from './role.ts';
import { refuseForeignSchema } from './schema.ts';
import { openLauncher } from './launcher.ts';
import { openLogArchiver } from './logs.ts';
import { openMetrics } from './metrics.ts';
import { openGitWatch } from './git-watch.ts';
import { openRetention } from './retention.ts';
import { openTriggerer } from './triggerer.ts';

export const runScheduler = (): Promise<void> =>
  runRole('scheduler', async (context) => {
    const url = context.config.databaseUrl!;
    const database = openDatabase(url, context);
    await checkDatabase(database);
    await refuseForeignSchema(database);
    const core = await openCore(database, context.config.secretKey!, context);
    const { metricsOf, onClusterRequest, counts } = await openMetrics(core, context);
    await openScheduler(core, context);
    await openLogArchiver(core, context, counts?.logs);
    await openRetention(core, context, counts?.retained);
    const { suspect } = openHealthWatch(core, context, onClusterRequest);
    // No steady name: there may be several on this machine
    await openTriggerer(core, `triggerer ${hostname()}-${process.pid}`, context);
    await openLauncher(core, `launcher ${hostname()}-${process.pid}`, context, {
      serviceUrl: context.config.publicUrl,
      suspect,
      metricsOf,
    });
    openGitWatch(core, context);
    openNotifications(core, context, context.config.publicUrl);
    await core.listener.start();
    context.log.info('the scheduler runs');
  });
