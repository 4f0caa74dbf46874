import type { Database } from '#db/client.ts';
import { migrate } from '#db/migrate.ts';
import { checkSchema } from '#db/schema-check.ts';
import { CommandError } from '../command-error.ts';
import { version } from '../version.ts';

/** The names of what was applied. */
export const migrateSchema = (url: string): Promise<string[]> =>
  migrate(url, { release: version() }).catch((cause: Error) => {
    throw new CommandError(cause.message, { cause });
  });

/** Says plainly that this release cannot work on the schema that is there, before a statement trips over it. */
export async function refuseForeignSchema({ pool }: Database): Promise<void> {
  const problem = await checkSchema(pool, version());
  if (problem !== null) throw new CommandError(problem);
}
