import { Writable } from 'node:stream';
import type { Database } from '#db/client.ts';
import { databaseMark } from '#db/queries/ready-line.ts';
import { createReadySets, type ReadySets } from '#server/brokers/ready-sets.ts';
import { createRedisBroker, type RedisBroker } from '#server/brokers/redis-broker.ts';
import { createRedisClient } from '#server/brokers/redis-client.ts';
import { createLogger } from '#server/log.ts';
import { createTestEngine, type TestEngine } from './engine.ts';
import type { TestRedis } from './redis.ts';
import { waitFor } from './wait-for.ts';

export interface BrokeredEngine {
  engine: TestEngine;
  broker: RedisBroker;
  /** Messages of what it logged, and the lines whole. */
  logged: string[];
  lines: string[];
  stop(): Promise<void>;
}

/** As one server has them. */
export async function startBrokeredEngine(
  database: Database,
  { url }: Pick<TestRedis, 'url'>,
  { isReachable = true } = {},
): Promise<BrokeredEngine> {
  const logged: string[] = [];
  const lines: string[] = [];
  const destination = new Writable({
    write(chunk, _encoding, done) {
      for (const line of String(chunk).split('\n').filter(Boolean)) {
        lines.push(line);
        logged.push((JSON.parse(line) as { msg: string }).msg);
      }
      done();
    },
  });
  const log = createLogger({ level: 'info', format: 'json', destination });
  const mark = await databaseMark(database.db);
  const broker = createRedisBroker({ client: createRedisClient(url), db: database.db, log, mark });
  const engine = createTestEngine(database, { broker });
  if (isReachable) await waitFor(() => broker.isUp(), { what: 'the broker to be up' });
  return {
    engine,
    broker,
    logged,
    lines,
    async stop() {
      await engine.stop();
      await broker.stop();
    },
  };
}

export const prefixOf = async ({ db }: Pick<Database, 'db'>): Promise<string> =>
  `{millrace:${await databaseMark(db)}}:`;

/** What brokers on this database keep in Redis. */
export const readySetsOf = async (database: Database, { client }: TestRedis): Promise<ReadySets> =>
  createReadySets(client, await prefixOf(database));
