/** B4: does the history that is kept slow down the work? The same rounds with none and with 1M finished task instances, in turns. */
import { deployTo, engineRound, freshEngineRound, withClient, type Burst } from '../engine-rounds.ts';
import { tasksOf } from '../graphs.ts';
import { addHistory } from '../history.ts';
import { sampleLatency, type LatencyContender } from '../latency.ts';
import type { Measured } from '../measure.ts';
import { roundsOf, takeTurns, type Contender } from '../rounds.ts';
import { newRow, type Bench, type Row, type Scenario } from '../scenario.ts';
import { startSide, type Side } from '../side.ts';
import { quantile } from '../statistics.ts';

const SHAPE = 'chain10';
const SLOTS = 100;
const FULL = 'history_full';
const NONE = 'history_none';

async function prepare(bench: Bench, side: Side, instances: number): Promise<string> {
  const url = await bench.postgres.create(FULL);
  await side.call('open', { url, slots: 1, role: 'api', home: null });
  const { dagId } = await deployTo(side, { shape: SHAPE, flavour: 'call' });
  await side.call('close');
  const begin = performance.now();
  await withClient(url, (client) => addHistory(client, dagId, instances / tasksOf(SHAPE)));
  bench.log(`B4: ${instances} finished task instances made in ${((performance.now() - begin) / 1000).toFixed(0)} s`);
  return url;
}

async function throughput(bench: Bench, side: Side, url: string, instances: number): Promise<Row[]> {
  const runs = bench.options.quick ? 300 : 1500;
  const tasks = runs * tasksOf(SHAPE);
  const work = { shape: SHAPE, flavour: 'call', slots: SLOTS, runs, warmRuns: 100 } as const;
  const contender = (key: string, kept: string, round: () => Promise<Measured<Burst>>): Contender => {
    const workload = `${runs} runs of a chain of 10, ${kept}`;
    const row = newRow({ key, workload, variant: 'a', unit: 'tasks/s', tasks });
    return {
      row,
      async round() {
        const { result, cost } = await round();
        row.values.push((tasks / result.ms) * 1000);
        row.costs.push(cost);
        bench.log(`B4 ${kept}: ${row.values.at(-1)?.toFixed(0)} tasks/s`);
      },
    };
  };
  const none = contender('B4.none', 'nothing kept', () => freshEngineRound<Burst>(bench, side, work));
  const full = contender('B4.full', `${instances.toLocaleString('en')} finished instances kept`, () =>
    engineRound<Burst>(bench, side, url, work),
  );
  await takeTurns(bench, roundsOf(bench, 9, 2), [none, full]);
  return [none.row, full.row];
}

async function latency(bench: Bench, url: string): Promise<Row[]> {
  const open = async (key: string, at: string, kept: string): Promise<LatencyContender> => {
    const side = await startSide(key, 'sides/engine');
    await side.call('open', { url: at, slots: SLOTS, role: 'all', home: null });
    const { dagId } = await deployTo(side, { shape: 'single', flavour: 'call' });
    const workload = `trigger → first line, one process, ${kept}`;
    return {
      row: newRow({ key, workload, variant: 'a', unit: 'ms', samples: true }),
      triggers: side,
      handles: side,
      argument: { dagId },
      told: false,
    };
  };
  const none = await open('B4.latency.none', await bench.postgres.create(NONE), 'nothing kept');
  const full = await open('B4.latency.full', url, 'the same history kept');
  const rows = await sampleLatency(bench, bench.options.quick ? 50 : 400, [none, full]);
  for (const { triggers } of [none, full]) {
    await triggers.call('close');
    await triggers.stop();
  }
  await bench.postgres.drop(NONE);
  return rows;
}

export const b4: Scenario = {
  id: 'B4',
  title: 'The same work beside 1M finished task instances',
  async run(bench) {
    const instances = bench.options.quick ? 100_000 : 1_000_000;
    const side = await startSide('engine', 'sides/engine');
    try {
      const url = await prepare(bench, side, instances);
      const speeds = await throughput(bench, side, url, instances);
      const latencies = await latency(bench, url);
      const [none = [], full = []] = speeds.map((row) => row.values);
      const [soon = [], later = []] = latencies.map((row) => row.values);
      const ratios = newRow({
        key: 'B4.ratio',
        workload: 'history kept against none, round by round',
        variant: 'a',
        unit: 'ratio',
      });
      ratios.values = full.flatMap((value, i) => (none[i] ? [value / none[i]] : []));
      const p99 = newRow({ key: 'B4.p99', workload: 'p99 with history against without', variant: 'a', unit: 'ratio' });
      p99.values = [quantile(later, 0.99) / quantile(soon, 0.99)];
      return [...speeds, ratios, ...latencies, p99];
    } finally {
      await side.stop();
      await bench.postgres.drop(FULL);
    }
  },
};
