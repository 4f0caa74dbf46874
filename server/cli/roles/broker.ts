import type { Database } from '#db/client.ts';
import { databaseMark } from '#db/queries/ready-line.ts';
import type { RedisBroker } from '../../brokers/redis-broker.ts';
import type { RoleContext } from './role.ts';

/** Null: Postgres is the broker, and nothing of Redis is loaded. */
export async function openBroker(
  { db }: Database,
  { config, log, shutdown }: RoleContext,
): Promise<RedisBroker | null> {
  if (config.broker === null) return null;
  const { redisUrl: url } = config.broker;
  const [{ createRedisBroker }, { createRedisClient }, mark] = await Promise.all([
    import('../../brokers/redis-broker.ts'),
    import('../../brokers/redis-client.ts'),
    databaseMark(db),
  ]);
  const broker = createRedisBroker({ client: createRedisClient(url), db, log, mark });
  shutdown.add('broker', () => broker.stop());
  log.info({ host: new URL(url).host }, 'Redis is the broker');
  return broker;
}
