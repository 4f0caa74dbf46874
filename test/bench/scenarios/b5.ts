/** B5: one DAG of 10,000 tasks in 100 layers. */
import type { TaskFlavour } from '../dag-inputs.ts';
import { freshEngineRound, type Burst } from '../engine-rounds.ts';
import { tasksOf } from '../graphs.ts';
import { roundsOf, takeTurns, type Contender } from '../rounds.ts';
import { newRow, type Bench, type Row, type Scenario, type Variant } from '../scenario.ts';
import { serviceRound, startService, type Service } from '../service.ts';
import { startSide, type Side } from '../side.ts';

const SLOTS = 100;
const SHAPE = 'layers';

interface Choice {
  variant: Variant;
  flavour: TaskFlavour;
  deploys: string;
  maxActiveTasks?: number;
  limit: string;
  key: string;
}

interface Sides {
  side: Side;
  service: Service;
}

interface Rows {
  run: Contender;
  deploy: Row;
  stall: Row;
}

function contender(bench: Bench, { side, service }: Sides, choice: Choice): Rows {
  const { key, variant, flavour, maxActiveTasks, limit } = choice;
  const tasks = tasksOf(SHAPE);
  const base = { variant, unit: 'ms', tasks } as const;
  const deploy = newRow({ ...base, key: 'B5.deploy', workload: `deploy 10,000 tasks: ${choice.deploys}` });
  const stall = newRow({ ...base, key: 'B5.stall', workload: 'longest stall of the event loop in the run' });
  const row = newRow({ ...base, key, workload: `run 10,000 tasks, ${limit}` });
  const round = async () => {
    const work = {
      shape: SHAPE,
      flavour,
      slots: SLOTS,
      runs: 1,
      warmRuns: 1,
      maxActiveTasks,
      watchLoop: true,
    } as const;
    const { result, cost } =
      variant === 'a'
        ? await freshEngineRound<Burst>(bench, side, work)
        : await serviceRound<Burst>(bench, service, work);
    row.values.push(result.ms);
    row.costs.push(cost);
    deploy.values.push(result.deployMs);
    stall.values.push(result.stallMs ?? NaN);
    const told = [result.ms, result.deployMs, result.stallMs ?? NaN].map((ms) => ms.toFixed(0));
    bench.log(`B5 ${limit} ${row.side}: run ${told[0]} ms, deploy ${told[1]} ms, stall ${told[2]} ms`);
  };
  return { run: { row, round }, deploy, stall };
}

const NO_LIMIT = { key: 'B5.run', limit: 'no limit on active tasks' } as const;
const SENT = 'validate, compile, store';

export const b5: Scenario = {
  id: 'B5',
  title: 'One DAG of 10,000 tasks',
  async run(bench) {
    const sides = { side: await startSide('engine', 'sides/engine'), service: await startService() };
    try {
      const called = contender(bench, sides, { ...NO_LIMIT, variant: 'a', flavour: 'call', deploys: SENT });
      const limited = contender(bench, sides, {
        variant: 'a',
        flavour: 'call',
        deploys: SENT,
        key: 'B5.admitted',
        maxActiveTasks: 1000,
        limit: 'at most 1,000 active at once: each passes through admission',
      });
      const served = contender(bench, sides, { ...NO_LIMIT, variant: 'b', flavour: 'call', deploys: `send, ${SENT}` });
      const supervised = contender(bench, sides, {
        ...NO_LIMIT,
        variant: 'd',
        flavour: 'typescript',
        deploys: 'load the TypeScript file in its process, bundle, send, validate, store',
      });
      const turns = [called, served, supervised, limited];
      const rows = await takeTurns(
        bench,
        roundsOf(bench, 3, 1),
        turns.map(({ run }) => run),
      );
      const unlimited = [called, served, supervised];
      const beside = [...unlimited.map(({ deploy }) => deploy), ...unlimited.map(({ stall }) => stall)];
      // The discarded round's
      for (const row of beside) row.values.shift();
      return [...rows, ...beside];
    } finally {
      await sides.side.stop();
      await sides.service.stop();
    }
  },
};
