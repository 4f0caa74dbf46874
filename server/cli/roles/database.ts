import { join } from 'node:path';
import { createDatabase, type Database } from '#db/client.ts';
import { keepEmbeddedPostgres } from '#db/embedded-keeper.ts';
import { createListener, type Listener } from '#db/listen.ts';
import { CommandError } from '../command-error.ts';
import type { RoleContext } from './role.ts';

/** Address of the database: the configured one, or that of an embedded server, started or adopted. */
export async function databaseUrl({ config, log, shutdown }: RoleContext): Promise<string> {
  if (config.databaseUrl) return config.databaseUrl;
  const server = await keepEmbeddedPostgres({
    dataDir: join(config.home, 'postgres'),
    onRestart: (pid) => log.warn({ pid }, 'PostgreSQL had ended; it is up again'),
    onError: (error) => log.error({ error }, 'PostgreSQL has ended and could not be started; it is tried again'),
  }).catch((cause: Error) => {
    throw new CommandError(cause.message, { cause });
  });
  // There is always time to tell it: it recovers from this at the next start.
  shutdown.add('postgres', server.stop, () => process.kill(server.pid(), 'SIGQUIT'));
  log.debug({ pid: server.pid(), adopted: server.adopted }, 'embedded PostgreSQL is up');
  return server.url;
}

export function openDatabase(url: string, { config, log, shutdown }: RoleContext): Database {
  const database = createDatabase(url, {
    max: config.databaseConnections,
    applicationName: `millrace ${config.role}`,
    onIdleError: (error) => log.warn({ error }, 'a database connection broke'),
  });
  shutdown.add('database', database.close);
  return database;
}

export function openListener(url: string, { config, log, shutdown }: RoleContext): Listener {
  const listener = createListener(url, {
    applicationName: `millrace ${config.role} listener`,
    onError: (error) => log.warn({ error }, 'the listening connection broke'),
  });
  shutdown.add('listener', listener.stop);
  return listener;
}

const OLDEST_MAJOR = 15;

/** Says plainly that the database is away or too old before anything else trips over it. */
export async function checkDatabase({ pool, url }: Database): Promise<void> {
  const where = new URL(url).host;
  const { rows } = await pool
    .query<{ version: number }>(`select current_setting('server_version_num')::int as version`)
    .catch((cause: Error) => {
      throw new CommandError(`The database at ${where} cannot be used: ${cause.message}. Check DATABASE_URL.`, {
        cause,
      });
    });
  const major = Math.floor(rows[0]!.version / 10_000);
  if (major < OLDEST_MAJOR)
    throw new CommandError(`The database at ${where} is PostgreSQL ${major}; Millrace needs ${OLDEST_MAJOR} or newer.`);
}
