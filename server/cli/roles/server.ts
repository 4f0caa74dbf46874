import { checkDatabase, openDatabase, openListener } from './database.ts';
import { openEngine } from './engine.ts';
import { openHttp } from './http.ts';
import { runRole } from './role.ts';

export const runServer = (): Promise<void> =>
  runRole('server', async (context) => {
    const { config, log } = context;
    const database = openDatabase(config.databaseUrl!, context);
    await checkDatabase(database);
    const listener = openListener(database.url, context);
    const core = { ...database, listener, engine: openEngine(database, context) };
    await listener.start();
    const address = await openHttp(core, config.secretKey!, context);
    log.info({ address }, 'the API listens');
  });
