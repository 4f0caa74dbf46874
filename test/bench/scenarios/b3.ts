/** B3: how soon a triggered task begins on an idle system. */
import type { TaskFlavour } from '../dag-inputs.ts';
import { deployTo, homeOf, withClient } from '../engine-rounds.ts';
import { sampleLatency, type LatencyContender } from '../latency.ts';
import { BULLMQ, GRAPHILE } from '../peers/peers.ts';
import { newRow, type Bench, type Row, type Scenario, type Variant } from '../scenario.ts';
import { deployOver, nameOf, openService, startService } from '../service.ts';
import { startSide, type Side } from '../side.ts';
import { verifyRuns } from '../verify.ts';

const SLOTS = 16;

interface Opened extends LatencyContender {
  close(): Promise<void>;
}

interface Choice {
  key: string;
  variant: Variant;
  workload: string;
  flavour: TaskFlavour;
}

async function engine(bench: Bench, { key, variant, workload, flavour }: Choice): Promise<Opened> {
  const name = `latency_${variant}`;
  const url = await bench.postgres.create(name);
  const isOne = variant !== 'a2';
  const triggers = await startSide(name, 'sides/engine');
  const handles = isOne ? triggers : await startSide(`${name} worker`, 'sides/engine');
  const home = homeOf(bench, { flavour });
  await triggers.call('open', { url, slots: SLOTS, role: isOne ? 'all' : 'api', home });
  if (!isOne) await handles.call('open', { url, slots: SLOTS, role: 'worker', home });
  const { dagId } = await deployTo(triggers, { shape: 'single', flavour });
  return {
    row: newRow({ key, workload, variant, unit: 'ms', samples: true }),
    triggers,
    handles,
    argument: { dagId },
    told: flavour === 'typescript',
    async close() {
      const sides: Side[] = isOne ? [triggers] : [handles, triggers];
      for (const side of sides) {
        await side.call('close');
        await side.stop();
      }
      await verifyAll(url);
      await bench.postgres.drop(name);
    },
  };
}

async function service(bench: Bench, { key, variant, workload, flavour }: Choice): Promise<Opened> {
  const name = `latency_${variant}`;
  const url = await bench.postgres.create(name);
  const apart = variant === 'b' || variant === 'd';
  const started = await startService();
  const close = await openService(bench, started, { url, slots: SLOTS, flavour, apart });
  await deployOver(started, { shape: 'single', flavour });
  const told = flavour === 'typescript';
  return {
    row: newRow({ key, workload, variant, unit: 'ms', samples: true }),
    triggers: started.client,
    handles: apart && !told ? started.workers[0]! : started.server,
    argument: { dagId: nameOf({ shape: 'single' }) },
    told,
    async close() {
      await close();
      await started.stop();
      await verifyAll(url);
      await bench.postgres.drop(name);
    },
  };
}

const verifyAll = (url: string): Promise<void> =>
  withClient(url, async (client) => {
    const { rows } = await client.query<{ runs: number }>('select count(*)::int as runs from dag_run');
    await verifyRuns(client, 0, rows[0]?.runs ?? 0);
  });

async function peer(bench: Bench, name: string): Promise<Opened | null> {
  const isBull = name === BULLMQ;
  if (isBull && !bench.redis) return null;
  const side = await startSide(name, isBull ? 'peers/bullmq' : 'peers/graphile');
  const where = isBull
    ? { socket: bench.redis?.socket }
    : { url: await bench.postgres.create('latency_peer', 'empty') };
  await side.call('open', { ...where, slots: SLOTS, batched: false });
  return {
    row: newRow({
      key: isBull ? 'B3.bullmq' : 'B3.graphile',
      workload: 'add a job → its first line',
      side: name,
      unit: 'ms',
      samples: true,
    }),
    triggers: side,
    handles: side,
    argument: {},
    told: false,
    async close() {
      await side.call('close');
      await side.stop();
      if (!isBull) await bench.postgres.drop('latency_peer');
    },
  };
}

export const b3: Scenario = {
  id: 'B3',
  title: 'Trigger on an idle system to the first line of the handler',
  async run(bench): Promise<Row[]> {
    const opened: Opened[] = [];
    const open = (contender: Opened | null) => contender && opened.push(contender);
    try {
      const one = { key: 'B3.one', workload: 'trigger → first line, one process' } as const;
      const across = { key: 'B3.across', workload: 'trigger → first line in another process' } as const;
      open(await engine(bench, { ...one, variant: 'a', flavour: 'call' }));
      open(await service(bench, { ...one, variant: 'b1', flavour: 'call' }));
      open(await service(bench, { ...one, variant: 'd1', flavour: 'typescript' }));
      open(await engine(bench, { ...across, variant: 'a2', flavour: 'call' }));
      open(await service(bench, { ...across, variant: 'b', flavour: 'call' }));
      open(await service(bench, { ...across, variant: 'd', flavour: 'typescript' }));
      open(await peer(bench, GRAPHILE));
      open(await peer(bench, BULLMQ));
      return await sampleLatency(bench, bench.options.quick ? 100 : 1000, opened);
    } finally {
      for (const contender of opened) await contender.close();
    }
  },
};
