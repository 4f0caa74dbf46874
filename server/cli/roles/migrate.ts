import { printLine } from '../output.ts';
import { checkDatabase, openDatabase } from './database.ts';
import { runRole } from './role.ts';
import { migrateSchema } from './schema.ts';

export const runMigrate = (): Promise<void> =>
  runRole('migrate', async (context) => {
    const url = context.config.databaseUrl!;
    await checkDatabase(openDatabase(url, context));
    const applied = await migrateSchema(url);
    printLine(applied.length === 0 ? 'The schema is up to date.' : `Applied ${applied.join(', ')}.`);
    await context.shutdown.run('done');
  });
