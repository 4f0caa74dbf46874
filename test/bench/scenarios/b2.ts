/** B2 and B2c: many short runs at once. */
import { tasksOf } from '../dag-shapes.ts';
import { freshEngineRound, type Burst } from '../engine-rounds.ts';
import { startPeers } from '../peers/peers.ts';
import { roundsOf, takeTurns, type Contender } from '../rounds.ts';
import { newRow, type Bench, type Row, type Scenario } from '../scenario.ts';
import { startSide, type Side } from '../side.ts';

const SLOTS = 100;
const SHAPES = { chain10: 'chain of 10', diamond10: 'diamond 1-8-1' } as const;
type BurstShape = keyof typeof SHAPES;

function engineContender(bench: Bench, side: Side, shape: BurstShape, runs: number): Contender {
  const tasks = runs * tasksOf(shape);
  const workload = `${runs} runs of a ${SHAPES[shape]}`;
  const row = newRow({ key: `B2.${shape}`, workload, variant: 'a', unit: 'tasks/s', tasks });
  return {
    row,
    async round() {
      const { result, cost } = await freshEngineRound<Burst>(bench, side, { shape, slots: SLOTS, runs, warmRuns: 100 });
      row.values.push((tasks / result.ms) * 1000);
      row.costs.push(cost);
      bench.log(`B2 ${workload}: ${row.values.at(-1)?.toFixed(0)} tasks/s`);
    },
  };
}

export const b2: Scenario = {
  id: 'B2',
  title: 'Many short runs at once, 100 tasks at a time',
  async run(bench): Promise<Row[]> {
    const runs = bench.options.quick ? 300 : 1000;
    const engine = await startSide('engine', 'sides/engine.ts');
    const peers = await startPeers(bench, { jobs: runs * 10, slots: SLOTS });
    try {
      return await takeTurns(bench, roundsOf(bench, 5, 2), [
        engineContender(bench, engine, 'chain10', runs),
        ...peers.contenders,
        engineContender(bench, engine, 'diamond10', runs),
      ]);
    } finally {
      await engine.stop();
      await peers.stop();
    }
  },
};
