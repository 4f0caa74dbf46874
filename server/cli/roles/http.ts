import { createApp } from '../../http/app.ts';
import { packageFile } from '../../entry-points.ts';
import { CommandError } from '../command-error.ts';
import { version } from '../version.ts';
import { openProcessBeat, type Core } from './engine.ts';
import type { RoleContext } from './role.ts';

/** The API and the page. Resolves to the address. */
export async function openHttp(core: Core, secretKey: Buffer, context: RoleContext): Promise<string> {
  const { config, log, shutdown } = context;
  await openProcessBeat(core.db, 'server', context);
  const app = createApp({
    db: core.db,
    pool: core.pool,
    listener: core.listener,
    engine: core.engine,
    log,
    secretKey,
    oldSecretKeys: config.oldSecretKeys,
    vault: core.vault,
    version: version(),
    webRoot: packageFile('web/dist'),
    host: config.host,
    publicUrl: config.publicUrl,
    graphiql: config.graphiql,
  });
  shutdown.add('http', () => app.stop());
  try {
    return await app.start(config.port);
  } catch (cause) {
    throw new CommandError(cannotListen(cause as NodeJS.ErrnoException, config), { cause });
  }
}

function cannotListen(
  { code, message }: NodeJS.ErrnoException,
  { host, port }: { host: string; port: number },
): string {
  if (code === 'EADDRINUSE')
    return `Port ${port} of ${host} is in use. Stop what listens there, or set MILLRACE_PORT (0 takes a free one).`;
  if (code === 'EACCES') return `Port ${port} may not be opened by this user. Set MILLRACE_PORT to one above 1023.`;
  return `Cannot listen on ${host}:${port}: ${message}. Check MILLRACE_HOST and MILLRACE_PORT.`;
}
