import type { Database, Db } from '#db/client.ts';
import { createEngine, ENGINE_CONNECTIONS, type Engine } from '#db/engine/engine.ts';
import type { Listener } from '#db/listen.ts';
import { QUEUE_CHANGED } from '#db/queries/queues.ts';
import { createVault, type Vault } from '#db/vault.ts';
import { startProcessBeat } from '../../process-beat.ts';
import { startNotifications } from '../../notifications/start-notifications.ts';
import { startScheduler } from '../../scheduler/scheduler.ts';
import { version } from '../version.ts';
import type { RedisBroker } from '../../brokers/redis-broker.ts';
import { openBroker } from './broker.ts';
import { openListener } from './database.ts';
import type { RoleContext } from './role.ts';

const LISTEN_CONNECTIONS = 1;

/** What the parts of a process share. */
export interface Core extends Database {
  engine: Engine;
  listener: Listener;
  vault: Vault;
  /** Null: Postgres. */
  broker: RedisBroker | null;
}

const openVault = (secretKey: Buffer, { config }: RoleContext): Vault => createVault(secretKey, config.oldSecretKeys);

function openEngine(
  { url, db, pool }: Database,
  { vault, broker }: Pick<Core, 'vault' | 'broker'>,
  { log, shutdown }: RoleContext,
): Engine {
  const engine = createEngine({
    url,
    db,
    pool,
    vault,
    ...(broker && { broker }),
    onError: (error) => log.error({ error }, 'a flush failed'),
  });
  shutdown.add('engine', () => engine.stop());
  return engine;
}

/** Once the listener has started, the engine hears of queues that others have paused. */
export async function openCore(database: Database, secretKey: Buffer, context: RoleContext): Promise<Core> {
  const listener = openListener(database.url, context);
  const vault = openVault(secretKey, context);
  const broker = await openBroker(database, context);
  const engine = openEngine(database, { vault, broker }, context);
  const followQueues = () =>
    void engine
      .queuesChanged()
      .catch((error: unknown) => context.log.warn({ error }, 'the paused queues could not be read'));
  listener.on(QUEUE_CHANGED, followQueues);
  listener.onResync(followQueues);
  return { ...database, listener, vault, broker, engine };
}

export async function openProcessBeat(
  db: Db,
  role: 'server' | 'scheduler',
  { config, log, shutdown }: RoleContext,
): Promise<void> {
  const onError = (error: unknown) => log.warn({ error }, 'the beat was not written');
  const connections = config.databaseConnections + ENGINE_CONNECTIONS + LISTEN_CONNECTIONS;
  const beat = await startProcessBeat({ db, role, version: version(), connections, onError });
  shutdown.add(`${role} beat`, () => beat.stop());
}

export async function openScheduler({ db, pool, engine, listener }: Core, context: RoleContext): Promise<void> {
  const { log, shutdown } = context;
  await openProcessBeat(db, 'scheduler', context);
  const onError = (error: unknown, loop: string) => log.error({ error, loop }, 'a pass of a scheduler loop failed');
  const scheduler = startScheduler({ db, pool, engine, listener, log, onError });
  shutdown.add('scheduler', () => scheduler.stop());
}

/** `publicUrl`: where people reach the page; what is sent to them has no links without it. */
export function openNotifications(core: Core, { log, shutdown }: RoleContext, publicUrl: string | null): void {
  const onError = (error: unknown, loop: string) => log.error({ error, loop }, 'a pass of a notification loop failed');
  const notifications = startNotifications({ ...core, log, onError, publicUrl });
  shutdown.add('notifications', () => notifications.stop());
}
