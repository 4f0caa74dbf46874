import type { LogReader } from '#schema/log-reader.ts';
import { startLogArchiver, type ArchiverMetrics } from '../../logs/log-archiver.ts';
import { createLogReader } from '../../logs/log-reader.ts';
import { createLogStores, type LogStores } from '../../logs/log-stores.ts';
import type { Core } from './engine.ts';
import type { RoleContext } from './role.ts';

function openLogStores({ config, shutdown }: RoleContext): LogStores {
  const stores = createLogStores(config.logStore);
  shutdown.add('log stores', () => stores.close());
  return stores;
}

export const openLogReader = ({ db }: Pick<Core, 'db'>, context: RoleContext): LogReader =>
  createLogReader({ db, stores: openLogStores(context) });

export async function openLogArchiver(
  { db }: Pick<Core, 'db'>,
  context: RoleContext,
  metrics?: ArchiverMetrics,
): Promise<void> {
  const { log, shutdown } = context;
  const onError = (error: unknown, loop: string) => log.error({ error, loop }, 'a pass over the logs failed');
  const archiver = await startLogArchiver({ db, stores: openLogStores(context), log, onError, metrics });
  shutdown.add('log archiver', () => archiver.stop());
}
