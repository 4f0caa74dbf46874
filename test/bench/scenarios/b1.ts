/** B1s and B1p: one run at a time. */
import { tasksOf, type ShapeName } from '../dag-shapes.ts';
import { freshEngineRound, type Sequence } from '../engine-rounds.ts';
import { roundsOf, takeTurns, type Contender } from '../rounds.ts';
import { newRow, type Bench, type Scenario } from '../scenario.ts';
import { startSide, type Side } from '../side.ts';

interface Workload {
  id: string;
  shape: ShapeName;
  workload: string;
  slots: number;
}

/** Each run is a value: the spread is that of the runs. */
function contender(bench: Bench, side: Side, { id, shape, workload, slots }: Workload): Contender {
  const runs = bench.options.quick ? 5 : 10;
  const row = newRow({ key: id, workload, variant: 'a', unit: 'ms', tasks: runs * tasksOf(shape) });
  return {
    row,
    async round() {
      const work = { shape, slots, runs, warmRuns: 10, inSequence: true };
      const { result, cost } = await freshEngineRound<Sequence>(bench, side, work);
      row.values.push(...result.ms);
      row.costs.push(cost);
      bench.log(`${id}: ${result.ms.map((ms) => ms.toFixed(1)).join(' ')} ms`);
    },
  };
}

const scenario = (title: string, work: Workload): Scenario => ({
  id: work.id,
  title,
  async run(bench) {
    const side = await startSide('engine', 'sides/engine.ts');
    try {
      return await takeTurns(bench, roundsOf(bench, 3, 1), [contender(bench, side, work)]);
    } finally {
      await side.stop();
    }
  },
});

export const b1s = scenario('One run of a chain of 40', {
  id: 'B1S',
  shape: 'chain40',
  workload: 'chain of 40 tasks, one run at a time',
  slots: 16,
});
export const b1p = scenario('One run of 40 parallel tasks', {
  id: 'B1P',
  shape: 'parallel40',
  workload: '40 parallel tasks on 16 slots, one run at a time',
  slots: 16,
});
