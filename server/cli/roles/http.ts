import { createApp } from '../../http/app.ts';
import { listenThrough } from '../../brokers/listen-through.ts';
import { packageFile } from '../../entry-points.ts';
import { CommandError } from '../command-error.ts';
import { version } from '../version.ts';
import { cannotListen } from './cannot-listen.ts';
import { openProcessBeat, type Core } from './engine.ts';
import { openLogReader } from './logs.ts';
import type { OnClusterRequest } from './metrics.ts';
import type { RoleContext } from './role.ts';

/** The API and the page. Resolves to the address. */
export async function openHttp(
  core: Core,
  secretKey: Buffer,
  context: RoleContext,
  onClusterRequest: OnClusterRequest,
): Promise<string> {
  const { config, log, shutdown } = context;
  await openProcessBeat(core.db, 'server', context);
  const app = createApp({
    db: core.db,
    pool: core.pool,
    listener: core.broker ? listenThrough(core.listener, core.broker) : core.listener,
    engine: core.engine,
    logs: openLogReader(core, context),
    log,
    secretKey,
    oldSecretKeys: config.oldSecretKeys,
    vault: core.vault,
    version: version(),
    webRoot: packageFile('web/dist'),
    host: config.host,
    publicUrl: config.publicUrl,
    graphiql: config.graphiql,
    gitPolicy: config.git.policy,
    onClusterRequest,
  });
  shutdown.add('http', () => app.stop());
  try {
    return await app.start(config.port);
  } catch (cause) {
    throw new CommandError(cannotListen(cause as NodeJS.ErrnoException, { ...config, variable: 'MILLRACE_PORT' }), {
      cause,
    });
  }
}
