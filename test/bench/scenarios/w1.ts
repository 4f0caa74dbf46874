/** W1: thousands of deferred sensors at once: how fast they begin to wait, what waiting costs, how fast they go on. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createDatabase, type Database } from '#db/client.ts';
import { createEngine, type Engine } from '#db/engine/engine.ts';
import { createListener } from '#db/listen.ts';
import { deployDag } from '#db/queries/dag.ts';
import { ensurePartitions } from '#db/queries/partitions.ts';
import { specOf, startWaiting } from '../../helpers/waiting.ts';
import { measure } from '../measure.ts';
import { newRow, type Bench, type Row, type Scenario } from '../scenario.ts';

const RUNS = 5;
const DATE = '2026-01-01T00:00:00Z';
/** All have begun to wait before their time comes. */
const AHEAD_MS = 60_000;
const WATCH_MS = 10_000;
const SIDE = 'engine, scheduler and triggerer in one process';

/** Half of them wait for a time, half for a run of another DAG, which is looked for every minute. */
async function deploy({ db }: Database, perRun: number) {
  const tasks = Array.from({ length: perRun }, (_, i) => {
    const target = i % 2 === 0 ? { time: '{{ conf.until }}' } : { task: { dagId: 'other', at: DATE } };
    return [`wait_${i}`, { kind: 'sensor', for: target }] as const;
  });
  const put = async (dagId: string, list: Record<string, object>, options = {}) =>
    (await deployDag(db, { spec: specOf(dagId, list, options), bundle: null, actor: 'bench' })).dagId;
  const waits = await put('waits', Object.fromEntries(tasks), { maxActiveTasks: perRun });
  return { waits, other: await put('other', { done: {} }) };
}

async function until(database: Database, isDone: string): Promise<void> {
  for (;;) {
    const { rows } = await database.pool.query<{ done: boolean }>(`select ${isDone} as done`);
    if (rows[0]?.done) return;
    await sleep(50);
  }
}

interface Rows {
  defer: Row;
  watch: Row;
  finish: Row;
}

async function round(bench: Bench, rows: Rows, perRun: number, url: string): Promise<void> {
  const total = RUNS * perRun;
  const database = createDatabase(url);
  const onError = (error: unknown) => bench.log(`W1: ${String(error)}`);
  const engine: Engine = createEngine({ ...database, onError });
  const listener = createListener(url);
  const { pid, admin } = bench.postgres;
  const trees = { node: [process.pid], database: [pid], admin, cores: bench.machine.cores };
  try {
    await ensurePartitions(database.pool);
    await listener.start();
    const waiting = await startWaiting(database, engine, listener);
    const { waits, other } = await deploy(database, perRun);
    const due = Date.now() + AHEAD_MS;
    const conf = { until: new Date(due).toISOString() };
    const deferred = await measure(trees, async () => {
      await engine.createRuns(Array.from({ length: RUNS }, () => ({ dagId: waits, kind: 'manual' as const, conf })));
      await until(database, `(select count(*) = ${total} from trigger_wait)`);
    });
    const watched = await measure(trees, () => sleep(Math.min(WATCH_MS, Math.max(1, due - Date.now()))));
    await sleep(Math.max(0, due - Date.now()));
    const finished = await measure(trees, async () => {
      await engine.createRuns([{ dagId: other, kind: 'manual', logicalDate: new Date(DATE) }]);
      await until(database, `(select count(*) = ${RUNS} from dag_run where dag_id = ${waits} and state = 'success')`);
    });
    add(rows.defer, deferred.cost.wallMs, deferred.cost);
    add(rows.watch, (watched.cost.nodeCpu + watched.cost.databaseCpu) / 1000 / watched.cost.wallMs, watched.cost);
    add(rows.finish, finished.cost.wallMs, finished.cost);
    const told = [rows.defer, rows.watch, rows.finish].map((row) =>
      (row.values.at(-1) ?? 0).toFixed(row.unit === 'ms' ? 0 : 3),
    );
    bench.log(
      `W1 ${total} sensors: all wait after ${told[0]} ms, cores while they wait ${told[1]}, all done after ${told[2]} ms`,
    );
    await waiting.stop();
  } finally {
    await listener.stop();
    await engine.stop();
    await database.close();
  }
}

function add(row: Row, value: number, cost: Row['costs'][number]): void {
  row.values.push(value);
  row.costs.push(cost);
}

export const w1: Scenario = {
  id: 'W1',
  title: '5,000 deferred sensors',
  async run(bench) {
    const perRun = bench.options.quick ? 200 : 1000;
    const tasks = RUNS * perRun;
    const named = tasks.toLocaleString('en');
    const rows: Rows = {
      defer: newRow({ key: 'W1.defer', workload: `${named} sensors begin to wait`, unit: 'ms', side: SIDE, tasks }),
      watch: newRow({
        key: 'W1.watch',
        workload: `CPU cores while ${named} sensors wait`,
        unit: 'ratio',
        side: SIDE,
        tasks,
      }),
      finish: newRow({
        key: 'W1.finish',
        workload: `${named} sensors end and their runs with them`,
        unit: 'ms',
        side: SIDE,
        tasks,
      }),
    };
    for (let n = 0; n < (bench.options.rounds ?? 1); n++) {
      const url = await bench.postgres.create('w1');
      await round(bench, rows, perRun, url);
      await bench.postgres.drop('w1');
    }
    return Object.values(rows);
  },
};
