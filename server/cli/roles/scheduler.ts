import { checkDatabase, openDatabase, openListener } from './database.ts';
import { openEngine, openScheduler, openVault } from './engine.ts';
import { runRole } from './role.ts';

export const runScheduler = (): Promise<void> =>
  runRole('scheduler', async (context) => {
    const url = context.config.databaseUrl!;
    const database = openDatabase(url, context);
    await checkDatabase(database);
    const listener = openListener(url, context);
    const vault = openVault(context.config.secretKey!, context);
    const core = { ...database, listener, vault, engine: openEngine(database, vault, context) };
    await openScheduler(core, context);
    await listener.start();
    context.log.info('the scheduler runs');
  });
