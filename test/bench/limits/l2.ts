import { treesOf } from '../engine-rounds.ts';
import { measure } from '../measure.ts';
import { quiet, roundsOf, takeTurns } from '../rounds.ts';
import { newRow, type Bench, type Row, type Scenario } from '../scenario.ts';
import { startSide } from '../side.ts';

const CLIENTS = 2;

async function run(bench: Bench): Promise<Row[]> {
  const side = await startSide('L2', 'limits/l2-side');
  const each = bench.options.quick ? 10 : 40;
  const row = newRow({
    key: 'L2',
    workload: `create, start, claim and finish 500 tasks each, ${CLIENTS} clients`,
    side: 'L2, our own statements in full batches',
    unit: 'tasks/s',
    tasks: CLIENTS * each * 500,
  });
  const round = async () => {
    const url = await bench.postgres.create('l2');
    await side.call('open', { url, count: CLIENTS });
    try {
      await side.call('batches', { each: 2 });
      await quiet(bench);
      const { result, cost } = await measure(treesOf(bench, [side]), () =>
        side.call<{ ms: number; tasks: number }>('batches', { each }),
      );
      row.values.push((result.tasks / result.ms) * 1000);
      row.costs.push(cost);
      bench.log(`L2: ${row.values.at(-1)?.toFixed(0)} tasks/s`);
    } finally {
      await side.call('close');
      await bench.postgres.drop('l2');
    }
  };
  try {
    return await takeTurns(bench, roundsOf(bench, 5, 2), [{ row, round }]);
  } finally {
    await side.stop();
  }
}

export const l2: Scenario = { id: 'L2', title: 'Limit: our statements in full batches', run };
