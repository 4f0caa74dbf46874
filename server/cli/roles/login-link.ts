import { join } from 'node:path';
import { createDatabase } from '#db/client.ts';
import { findEmbeddedPostgres } from '#db/embedded.ts';
import type { UserRole } from '#db/queries/users.ts';
import { createLoginLink } from '../../auth/users.ts';
import { readConfig } from '../../config.ts';
import { CommandError } from '../command-error.ts';
import { printLine } from '../output.ts';
import { readServiceFile } from '../service-file.ts';

/** Works on the database itself: this is how the first person gets in. */
export async function printLoginLink({ user, role }: { user: string; role: UserRole }): Promise<void> {
  const config = readConfig('client');
  const url = config.databaseUrl ?? (await findEmbeddedPostgres(join(config.home, 'postgres')));
  if (!url)
    throw new CommandError(`No database known: run "millrace start" or set DATABASE_URL (looked in ${config.home}).`);
  const page = config.publicUrl ?? config.url ?? (await readServiceFile(config.home))?.url ?? 'http://127.0.0.1:4400';
  const database = createDatabase(url, { max: 1, applicationName: 'millrace login-link' });
  try {
    printLine(new URL(await createLoginLink(database.db, { name: user, role }), page).href);
  } finally {
    await database.close();
  }
}
