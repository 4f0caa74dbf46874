/** B5: one DAG of 10,000 tasks in 100 layers. */
import { tasksOf } from '../dag-shapes.ts';
import { freshEngineRound, type Burst } from '../engine-rounds.ts';
import { roundsOf, takeTurns, type Contender } from '../rounds.ts';
import { newRow, type Bench, type Row, type Scenario } from '../scenario.ts';
import { startSide, type Side } from '../side.ts';

const SLOTS = 100;
const SHAPE = 'layers';

interface Limit {
  key: string;
  maxActiveTasks: number;
  limit: string;
}

function contenders(
  bench: Bench,
  side: Side,
  { key, maxActiveTasks, limit }: Limit,
): { deploy: Row; stall: Row; run: Contender } {
  const tasks = tasksOf(SHAPE);
  const base = { variant: 'a', unit: 'ms', tasks } as const;
  const deploy = newRow({ ...base, key: 'B5.deploy', workload: 'deploy 10,000 tasks: validate, compile, store' });
  const stall = newRow({ ...base, key: 'B5.stall', workload: 'longest stall of the event loop in the run' });
  const row = newRow({ ...base, key, workload: `run 10,000 tasks, ${limit}` });
  const round = async () => {
    const work = { shape: SHAPE, slots: SLOTS, runs: 1, warmRuns: 1, maxActiveTasks, watchLoop: true } as const;
    const { result, cost } = await freshEngineRound<Burst>(bench, side, work);
    row.values.push(result.ms);
    row.costs.push(cost);
    deploy.values.push(result.deployMs);
    stall.values.push(result.stallMs ?? NaN);
    bench.log(
      `B5 ${limit}: run ${result.ms.toFixed(0)} ms, deploy ${result.deployMs.toFixed(0)} ms, stall ${result.stallMs?.toFixed(0)} ms`,
    );
  };
  return { deploy, stall, run: { row, round } };
}

export const b5: Scenario = {
  id: 'B5',
  title: 'One DAG of 10,000 tasks',
  async run(bench) {
    const side = await startSide('engine', 'sides/engine.ts');
    try {
      const free = contenders(bench, side, {
        key: 'B5.run',
        maxActiveTasks: 100_000,
        limit: 'no limit on active tasks',
      });
      const limited = contenders(bench, side, {
        key: 'B5.admitted',
        maxActiveTasks: 1000,
        limit: 'at most 1,000 active at once: each passes through admission',
      });
      const rows = await takeTurns(bench, roundsOf(bench, 5, 1), [free.run, limited.run]);
      // The discarded round's
      for (const row of [free.deploy, free.stall]) row.values.shift();
      return [free.deploy, ...rows, free.stall];
    } finally {
      await side.stop();
    }
  },
};
