/**
 * What a pool costs: `node --import tsx test/bench/pooled.ts`. The same tasks unlimited, under maxActiveTasks and through a pool, in turns,
 * on a Postgres of its own; one worker in the same process that does nothing. Only the ratios mean something.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DagSpec } from '#sdk/dag-spec.ts';
import { createDatabase } from '#db/client.ts';
import { startEmbeddedPostgres } from '#db/embedded.ts';
import { createEngine, type Engine } from '#db/engine/engine.ts';
import { migrate } from '#db/migrate.ts';
import { deployDag } from '#db/queries/dag.ts';
import { ensurePartitions } from '#db/queries/partitions.ts';
import { createPool } from '#db/queries/pools.ts';
import { createVault } from '#db/vault.ts';
import { dagOf, reportOf } from '../helpers/engine.ts';

const TASKS = 4000;
const SLOTS = 100;
const ROUNDS = 4;

const tasksOf = (options: object) =>
  Object.fromEntries(Array.from({ length: TASKS }, (_, i) => [`t${i}`, { upstream: [], ...options }]));
const KINDS: { [kind: string]: DagSpec } = {
  unlimited: dagOf('unlimited', tasksOf({}), { maxActiveTasks: 100_000 }),
  maxActiveTasks: dagOf('max_active_tasks', tasksOf({}), { maxActiveTasks: SLOTS }),
  pool: dagOf('pool', tasksOf({ pool: 'bench' }), { maxActiveTasks: 100_000 }),
};

async function secondsOf(engine: Engine, workerId: number, dagId: number): Promise<number> {
  await engine.createRuns([{ dagId, kind: 'manual' }]);
  const from = performance.now();
  let done = 0;
  let dispatches = await engine.claim({ workerId, queues: ['default'], limit: SLOTS });
  while (done < TASKS) {
    const reports = dispatches.map((dispatch) => reportOf(dispatch));
    done += reports.length;
    const claim = { queues: ['default'], limit: SLOTS };
    dispatches = (await engine.report({ workerId, reports, claim })).dispatches;
  }
  return (performance.now() - from) / 1000;
}

const home = mkdtempSync(join(tmpdir(), 'millrace-pooled-'));
const server = await startEmbeddedPostgres({ dataDir: join(home, 'postgres'), ephemeral: true });
await migrate(server.url);
const database = createDatabase(server.url);
await ensurePartitions(database.pool);
const engine = createEngine({
  ...database,
  url: server.url,
  vault: createVault(Buffer.alloc(32, 7)),
  onError: (error) => console.error(error),
});
const info = { name: 'bench', queues: ['default'], slots: SLOTS, version: 'bench', hostname: null, pid: null };
const workerId = await engine.registerWorker(info);
await createPool(database.db, { name: 'bench', slots: SLOTS, includeDeferred: false, description: null }, 'bench');
const seconds: { [kind: string]: number[] } = {};
for (let round = 0; round <= ROUNDS; round++) {
  for (const [kind, spec] of Object.entries(KINDS)) {
    const { dagId } = await deployDag(database.db, { spec, bundle: null, actor: 'bench' });
    const took = await secondsOf(engine, workerId, dagId);
    // The first round warms up
    if (round > 0) (seconds[kind] ??= []).push(took);
  }
}
const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
const base = median(seconds['unlimited'] ?? []);
for (const [kind, took] of Object.entries(seconds))
  console.log(`${kind}: ${Math.round(TASKS / median(took))} tasks/s, ${(base / median(took)).toFixed(2)} of unlimited`);
await engine.stop();
await database.close();
await server.stop();
rmSync(home, { recursive: true, force: true });
