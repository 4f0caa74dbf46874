/** The parts of the product that this side runs in its process. */
import { createDatabase, type Db } from '#db/client.ts';
import { createEngine } from '#db/engine/engine.ts';
import { createListener } from '#db/listen.ts';
import { readBundle } from '#db/queries/bundles.ts';
import { appendLogChunks } from '#db/queries/log.ts';
import { databaseMark } from '#db/queries/ready-line.ts';
import { createRedisBroker } from '#server/brokers/redis-broker.ts';
import { createRedisClient } from '#server/brokers/redis-client.ts';
import { createLogger } from '#server/log.ts';
import { createDirectWorkerApi } from '#server/worker/direct-worker-api.ts';
import { startWorker } from '#server/worker/worker.ts';
import { createAnswered, type Answered } from './answered.ts';
import { callTasks, superviseTasks, type HandlerStart } from './supervise.ts';

export interface OpenRequest {
  url: string;
  slots: number;
  /** `api`: no worker. `worker`: the other process of two. */
  role: 'all' | 'api' | 'worker';
  /** A folder for the supervisor and its children; null: a task is a call in this process. */
  home: string | null;
  /** Socket of the Redis that is the broker; Postgres unless given. */
  redis?: string | undefined;
}

export const onError = (error: unknown): boolean => process.stderr.write(`${String(error)}\n`);

async function openBroker(db: Db, redis: string) {
  const log = createLogger({ level: 'warn', format: 'text' });
  return createRedisBroker({ client: createRedisClient(redis), db, log, mark: await databaseMark(db) });
}

export async function openEngine({ url, slots, role, home, redis }: OpenRequest) {
  const database = createDatabase(url);
  const { db, pool } = database;
  const broker = redis === undefined ? null : await openBroker(db, redis);
  const engine = createEngine({ url, db, pool, ...(broker && { broker }), onError });
  const starts: HandlerStart[] = [];
  const stops: (() => Promise<unknown>)[] = [];
  let answered: Answered | null = null;
  if (role !== 'api') {
    const listener = createListener(url);
    await listener.start();
    const appendLogs = async (chunks: Parameters<typeof appendLogChunks>[1]) =>
      void (await appendLogChunks(pool, chunks));
    answered = createAnswered(createDirectWorkerApi({ db, engine, listener, appendLogs }));
    const fetchBundle = async (hash: string) => {
      const archive = await readBundle(db, hash);
      if (!archive) throw new Error(`Bundle ${hash} is not stored.`);
      return archive;
    };
    const worker = await startWorker({
      api: answered.api,
      info: { name: `bench ${process.pid}`, queues: ['default'], slots, version: 'bench', hostname: null, pid: null },
      supervise: home === null ? callTasks(starts) : superviseTasks(home, fetchBundle),
      onError,
    });
    stops.push(
      () => worker.stop(1000),
      () => listener.stop(),
    );
  }
  return {
    db,
    pool,
    engine,
    broker,
    starts,
    answered,
    async close() {
      for (const stop of stops) await stop();
      await engine.stop();
      await broker?.stop();
      await database.close();
    },
  };
}
