/** B1s and B1p: one run at a time. */
import type { TaskFlavour } from '../dag-inputs.ts';
import { freshEngineRound, type Sequence } from '../engine-rounds.ts';
import { tasksOf, type ShapeName } from '../graphs.ts';
import { roundsOf, takeTurns, type Contender } from '../rounds.ts';
import { newRow, type Bench, type Scenario, type Variant } from '../scenario.ts';
import { serviceRound, startService, type Service } from '../service.ts';
import { startSide, type Side } from '../side.ts';

interface Workload {
  key: string;
  shape: ShapeName;
  workload: string;
  flavour: TaskFlavour;
  variant: Variant;
}

interface Sides {
  side: Side;
  service: Service;
}

const SLOTS = 16;

/** Each run is a value: the spread is that of the runs. */
function contender(
  bench: Bench,
  { side, service }: Sides,
  { key, shape, workload, flavour, variant }: Workload,
): Contender {
  const runs = bench.options.quick ? 3 : 15;
  const row = newRow({ key, workload, variant, unit: 'ms', tasks: runs * tasksOf(shape) });
  return {
    row,
    async round() {
      const warmRuns = flavour === 'true' ? 2 : 10;
      const work = { shape, flavour, slots: SLOTS, runs, warmRuns, inSequence: true };
      const isService = variant === 'b' || variant === 'd';
      const { result, cost } = isService
        ? await serviceRound<Sequence>(bench, service, work)
        : await freshEngineRound<Sequence>(bench, side, work);
      row.values.push(...result.ms);
      row.costs.push(cost);
      bench.log(`${workload} ${row.side}: ${result.ms.map((ms) => ms.toFixed(1)).join(' ')} ms`);
    },
  };
}

const scenario = (id: string, title: string, workloads: Workload[]): Scenario => ({
  id,
  title,
  async run(bench) {
    const sides = { side: await startSide('engine', 'sides/engine'), service: await startService() };
    try {
      const contenders = workloads.map((work) => contender(bench, sides, work));
      return await takeTurns(bench, roundsOf(bench, 2, 1), contenders);
    } finally {
      await sides.side.stop();
      await sides.service.stop();
    }
  },
});

const CHAIN = { shape: 'chain40', workload: 'chain of 40, one run at a time' } as const;
const TRUE = { key: 'B1S.true', workload: 'chain of 40 × `/bin/true`', flavour: 'true' } as const;
const PARALLEL = { shape: 'parallel40', workload: `40 parallel tasks on ${SLOTS} slots` } as const;

export const b1s = scenario('B1S', 'One run of a chain of 40', [
  { ...CHAIN, key: 'B1S', flavour: 'call', variant: 'a' },
  { ...CHAIN, key: 'B1S', flavour: 'call', variant: 'b' },
  { ...CHAIN, key: 'B1S', flavour: 'typescript', variant: 'c' },
  { ...CHAIN, key: 'B1S', flavour: 'typescript', variant: 'd' },
  { ...CHAIN, ...TRUE, variant: 'c' },
  { ...CHAIN, ...TRUE, variant: 'd' },
]);
export const b1p = scenario('B1P', 'One run of 40 parallel tasks', [
  { ...PARALLEL, key: 'B1P', flavour: 'call', variant: 'a' },
  { ...PARALLEL, key: 'B1P', flavour: 'call', variant: 'b' },
  { ...PARALLEL, key: 'B1P', flavour: 'typescript', variant: 'c' },
  { ...PARALLEL, key: 'B1P', flavour: 'typescript', variant: 'd' },
]);
