/** F1: a backfill of a thousand dates of five tasks each, beside the same runs made at once. */
import { runsBetween } from '#sdk/timetable.ts';
import { createBackfill } from '#db/queries/backfill.ts';
import { runBackfills } from '#server/scheduler/run-backfills.ts';
import { drain, onEngine, type Drained } from '../drain.ts';
import { measure, type Trees } from '../measure.ts';
import { newRow, type Bench, type Row, type Scenario } from '../scenario.ts';

const SIDE = 'engine, backfill loop and a worker that only reports, one process';
const ACTIVE = 50;
const TASKS = 5;
const SLOTS = 200;

const chain = {
  dagId: 'filled',
  schedule: '@daily',
  maxActiveRuns: 10_000,
  pausedOnCreation: false,
  tasks: Array.from({ length: TASKS }, (_, i) => ({
    taskId: `t${i}`,
    kind: 'bash',
    command: 'true',
    upstream: i === 0 ? [] : [`t${i - 1}`],
  })),
};

async function round(bench: Bench, rows: { fill: Row; ratio: Row }, side: Drained, dates: number): Promise<void> {
  const { pid, admin } = bench.postgres;
  const trees: Trees = { node: [process.pid], database: [pid], admin, cores: bench.machine.cores };
  const dagId = await side.deploy(chain);
  const total = dates * TASKS;
  const bare = await measure(trees, async () => {
    await side.engine.createRuns(Array.from({ length: dates }, () => ({ dagId, kind: 'manual' as const })));
    await drain(side, total, SLOTS);
  });
  const from = new Date('2020-01-01T00:00:00Z');
  const to = new Date(from.getTime() + (dates - 1) * 86_400_000);
  const schedule = { kind: 'cron' as const, expressions: ['0 0 * * *'] };
  const runs = runsBetween(
    { schedule, timezone: 'UTC', startDate: null, endDate: null, catchup: false, dataIntervals: false },
    from,
    to,
    dates,
  );
  const { rows: versions } = await side.pool.query<{ id: number }>('select version_id as id from dag where id = $1', [
    dagId,
  ]);
  const filled = await measure(trees, async () => {
    await createBackfill(side.db, {
      ...{ dagId, versionId: versions[0]?.id ?? 0, from, to, reprocess: 'none', maxActiveRuns: ACTIVE },
      ...{ backwards: false, conf: null, note: null, dates: runs, actor: 'bench' },
    });
    await drain(side, total, SLOTS, { idle: () => runBackfills(side.db, side.engine) });
    while (await runBackfills(side.db, side.engine));
  });
  const { rows: ended } = await side.pool.query<{ state: string }>('select state from backfill');
  if (ended[0]?.state !== 'completed') rows.fill.failures.push(`the backfill is ${ended[0]?.state}`);
  rows.fill.values.push(filled.cost.wallMs);
  rows.fill.costs.push(filled.cost);
  rows.ratio.values.push(filled.cost.wallMs / bare.cost.wallMs);
  rows.ratio.costs.push(filled.cost);
  bench.log(
    `F1 ${dates} × ${TASKS}: backfill ${filled.cost.wallMs.toFixed(0)} ms, at once ${bare.cost.wallMs.toFixed(0)} ms`,
  );
}

export const f1: Scenario = {
  id: 'F1',
  title: 'a backfill of 1,000 dates',
  async run(bench) {
    const dates = bench.options.quick ? 100 : 1000;
    const tasks = dates * TASKS;
    const named = `${dates.toLocaleString('en')} dates × ${TASKS} tasks, ${ACTIVE} runs at once`;
    const rows = {
      fill: newRow({ key: 'F1.fill', workload: named, unit: 'ms', side: SIDE, tasks }),
      ratio: newRow({
        key: 'F1.ratio',
        workload: 'against the same runs made at once',
        unit: 'ratio',
        side: SIDE,
        tasks,
      }),
    };
    for (let n = 0; n < (bench.options.rounds ?? 3); n++)
      await onEngine(bench, 'f1', (side) => round(bench, rows, side, dates));
    return Object.values(rows);
  },
};
