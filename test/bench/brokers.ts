/**
 * What a broker saves and costs: `node --import tsx test/bench/brokers.ts`. The same work with both, in turns, on a Postgres and a Redis of
 * its own, by two engines in this process. Idle: a task at a time becomes ready, and every worker of the fleet is woken and claims. Busy: few
 * workers take a long line as fast as they can.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDatabase } from '#db/client.ts';
import { startEmbeddedPostgres } from '#db/embedded.ts';
import { createEngine, type Engine } from '#db/engine/engine.ts';
import { migrate } from '#db/migrate.ts';
import { deployDag } from '#db/queries/dag.ts';
import { ensurePartitions } from '#db/queries/partitions.ts';
import { databaseMark } from '#db/queries/ready-line.ts';
import { createRedisBroker } from '#server/brokers/redis-broker.ts';
import { createRedisClient } from '#server/brokers/redis-client.ts';
import { createLogger } from '#server/log.ts';
import { dagOf, reportOf } from '../helpers/engine.ts';
import { startTestRedis } from '../helpers/redis.ts';
import { waitFor } from '../helpers/wait-for.ts';
import { cpuOf } from './proc.ts';

const FLEET = 500;
const IDLE_TASKS = 60;
const BUSY_TASKS = 3_000;
const BUSY_WORKERS = 8;
const SLOTS = 8;
const ROUNDS = 3;
const queues = ['default'];

const home = mkdtempSync(join(tmpdir(), 'millrace-brokers-'));
const server = await startEmbeddedPostgres({ dataDir: join(home, 'postgres'), ephemeral: true });
await migrate(server.url);
const database = createDatabase(server.url);
await ensurePartitions(database.pool);
const redis = await startTestRedis();
const log = createLogger({ level: 'error', format: 'text' });
const mark = await databaseMark(database.db);
const onError = (error: unknown) => console.error(error);

async function open(kind: string) {
  const broker =
    kind === 'redis' ? createRedisBroker({ client: createRedisClient(redis.url), db: database.db, log, mark }) : null;
  if (broker) await waitFor(() => broker.isUp());
  const engine = createEngine({ ...database, url: server.url, ...(broker && { broker }), onError });
  const stop = async () => {
    await engine.stop();
    await broker?.stop();
  };
  return { engine, stop };
}

/** Milliseconds. */
const postgresCpu = () => cpuOf([server.pid]) / 1_000;
const commits = async () => {
  await database.pool.query('select pg_stat_force_next_flush()');
  const { rows } = await database.pool.query<{ n: number }>(
    'select xact_commit::int as n from pg_stat_database where datname = current_database()',
  );
  return rows[0]!.n;
};

async function idle([one, two]: Engine[], workerId: number): Promise<number> {
  const { dagId } = await deployDag(database.db, { spec: dagOf('one', { a: [] }), bundle: null, actor: 'bench' });
  for (let task = 0; task < IDLE_TASKS; task++) {
    await one!.createRuns([{ dagId, kind: 'manual' }]);
    const claims = Array.from({ length: FLEET }, (_, i) =>
      (i % 2 ? one! : two!).claim({ workerId, queues, limit: SLOTS }),
    );
    let claimed = (await Promise.all(claims)).flat();
    // With a broker the claims may have been there before its message
    while (claimed.length === 0) claimed = await one!.claim({ workerId, queues, limit: SLOTS });
    await two!.report({ workerId, reports: claimed.map((dispatch) => reportOf(dispatch)) });
  }
  return IDLE_TASKS;
}

async function busy(engines: Engine[], workerId: number): Promise<number> {
  const tasks = Object.fromEntries(Array.from({ length: BUSY_TASKS / 10 }, (_, i) => [`t${i}`, []]));
  const { dagId } = await deployDag(database.db, { spec: dagOf('many', tasks), bundle: null, actor: 'bench' });
  await engines[0]!.createRuns(Array.from({ length: 10 }, () => ({ dagId, kind: 'manual' as const })));
  let done = 0;
  const worker = async (engine: Engine) => {
    let held = await engine.claim({ workerId, queues, limit: SLOTS });
    while (done < BUSY_TASKS) {
      done += held.length;
      const reports = held.map((dispatch) => reportOf(dispatch));
      held =
        reports.length > 0
          ? (await engine.report({ workerId, reports, claim: { queues, limit: SLOTS } })).dispatches
          : await engine.claim({ workerId, queues, limit: SLOTS });
    }
  };
  await Promise.all(Array.from({ length: BUSY_WORKERS }, (_, i) => worker(engines[i % 2]!)));
  return BUSY_TASKS;
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
const results: { [name: string]: { ms: number; cpu: number; commits: number }[] } = {};
for (let round = 0; round <= ROUNDS; round++)
  for (const kind of ['postgres', 'redis'])
    for (const [name, work] of Object.entries({ idle, busy })) {
      const opened = [await open(kind), await open(kind)];
      const engines = opened.map(({ engine }) => engine);
      const info = { name: 'bench', queues, slots: 10_000, version: 'bench', hostname: null, pid: null };
      const workerId = await engines[0]!.registerWorker(info);
      // Connections are opened beforehand
      await Promise.all(engines.map((engine) => engine.claim({ workerId, queues, limit: 1 })));
      const before = { at: performance.now(), cpu: postgresCpu(), commits: await commits() };
      const tasks = await work(engines, workerId);
      const took = performance.now() - before.at;
      const spent = { cpu: postgresCpu() - before.cpu, commits: (await commits()) - before.commits };
      if (round > 0)
        (results[`${name} ${kind}`] ??= []).push({
          ms: took / tasks,
          cpu: spent.cpu / tasks,
          commits: spent.commits / tasks,
        });
      for (const { stop } of opened) await stop();
    }
for (const [name, rounds] of Object.entries(results)) {
  const of = (pick: (round: (typeof rounds)[number]) => number) => median(rounds.map(pick)).toFixed(2);
  console.log(
    `${name}: ${of(({ ms }) => ms)} ms, ${of(({ cpu }) => cpu)} ms CPU of Postgres, ${of(({ commits: n }) => n)} commits a task`,
  );
}
await redis.stop();
await database.close();
await server.stop();
rmSync(home, { recursive: true, force: true });
