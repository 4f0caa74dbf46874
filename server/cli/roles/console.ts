/** What is done on the database itself, by who may reach it: how the first person and the first token get in. */
import { join } from 'node:path';
import { createDatabase, type Db } from '#db/client.ts';
import { findEmbeddedPostgres } from '#db/embedded.ts';
import { readConfig, type Config } from '../../config.ts';
import { CommandError } from '../command-error.ts';

export async function onConsole<T>(command: string, work: (db: Db, config: Config) => Promise<T>): Promise<T> {
  const config = readConfig('client');
  const url = config.databaseUrl ?? (await findEmbeddedPostgres(join(config.home, 'postgres')));
  if (!url)
    throw new CommandError(`No database known: run "millrace start" or set DATABASE_URL (looked in ${config.home}).`);
  const database = createDatabase(url, { max: 1, applicationName: `millrace ${command}` });
  try {
    return await work(database.db, config);
  } finally {
    await database.close();
  }
}
