/** B2 and B2c: many short runs at once. */
import { freshEngineRound, type Burst } from '../engine-rounds.ts';
import { tasksOf } from '../graphs.ts';
import { startPeers } from '../peers/peers.ts';
import { roundsOf, takeTurns, type Contender } from '../rounds.ts';
import { newRow, type Bench, type Row, type Scenario } from '../scenario.ts';
import { serviceRound, startService, type Service } from '../service.ts';
import { startSide, type Side } from '../side.ts';

const SLOTS = 100;
const SHAPES = { chain10: 'chain of 10', diamond10: 'diamond 1-8-1' } as const;

interface Sides {
  side: Side;
  service: Service;
  /** With four workers. */
  fleet: Service;
}

interface Choice {
  shape: keyof typeof SHAPES;
  variant: 'a' | 'b' | 'b4' | 'b4r' | 'c' | 'd';
  runs: number;
}

function contender(bench: Bench, { side, service, fleet }: Sides, { shape, variant, runs }: Choice): Contender {
  const tasks = runs * tasksOf(shape);
  const workload = `${runs} runs of a ${SHAPES[shape]}`;
  const row = newRow({ key: `B2.${shape}`, workload, variant, unit: 'tasks/s', tasks });
  const flavour = variant === 'c' || variant === 'd' ? 'typescript' : 'call';
  return {
    row,
    async round() {
      const work = { shape, flavour, slots: SLOTS, runs, warmRuns: 100 } as const;
      const isFleet = variant === 'b4' || variant === 'b4r';
      const isService = variant !== 'a' && variant !== 'c';
      const { result, cost } = isService
        ? await serviceRound<Burst>(bench, isFleet ? fleet : service, { ...work, redis: variant === 'b4r' })
        : await freshEngineRound<Burst>(bench, side, work);
      row.values.push((tasks / result.ms) * 1000);
      row.costs.push(cost);
      bench.log(`B2 ${workload} ${row.side}: ${row.values.at(-1)?.toFixed(0)} tasks/s`);
    },
  };
}

/** Triggers that come one by one, as clients send them. */
function mutations(bench: Bench, { service }: Sides, runs: number): Contender {
  const workload = `${runs} runs of one task, a mutation each, 32 at a time`;
  const row = newRow({ key: 'B2.triggers', workload, variant: 'b', unit: 'runs/s', tasks: runs });
  return {
    row,
    async round() {
      const work = {
        shape: 'single',
        flavour: 'call',
        slots: SLOTS,
        runs,
        warmRuns: 100,
        eachByMutation: true,
      } as const;
      const { result, cost } = await serviceRound<Burst>(bench, service, work);
      row.values.push((runs / result.ms) * 1000);
      row.costs.push(cost);
      bench.log(`B2 ${workload} ${row.side}: ${row.values.at(-1)?.toFixed(0)} runs/s`);
    },
  };
}

export const b2: Scenario = {
  id: 'B2',
  title: 'Many short runs at once, 100 tasks at a time',
  async run(bench): Promise<Row[]> {
    const runs = bench.options.quick ? 300 : 1000;
    const sides = {
      side: await startSide('engine', 'sides/engine'),
      service: await startService(),
      fleet: await startService({ workers: 4 }),
    };
    const peers = await startPeers(bench, { jobs: runs * 10, slots: SLOTS });
    const ours = (variant: Choice['variant'], shape: Choice['shape'] = 'chain10') =>
      contender(bench, sides, { shape, variant, runs });
    try {
      return await takeTurns(bench, roundsOf(bench, 5, 1), [
        ours('a'),
        ...peers.contenders,
        ours('b'),
        ours('b4'),
        ...(bench.redis ? [ours('b4r')] : []),
        ours('c'),
        ours('d'),
        ours('a', 'diamond10'),
        ours('b4', 'diamond10'),
        ...(bench.redis ? [ours('b4r', 'diamond10')] : []),
        ours('d', 'diamond10'),
        mutations(bench, sides, runs),
      ]);
    } finally {
      await sides.side.stop();
      await sides.service.stop();
      await sides.fleet.stop();
      await peers.stop();
    }
  },
};
