/** The job queues that run the same number of jobs in the same session. They keep no history and know no DAG. */
import { measure } from '../measure.ts';
import { treesOf } from '../engine-rounds.ts';
import { quiet, type Contender } from '../rounds.ts';
import { newRow, type Bench } from '../scenario.ts';
import { startSide, type Side } from '../side.ts';

export interface PeerWork {
  jobs: number;
  slots: number;
}

export interface Peers {
  contenders: Contender[];
  stop(): Promise<void>;
}

export const GRAPHILE_BATCHED = 'graphile-worker, batched (local queue 500, batched completion)';
export const GRAPHILE = 'graphile-worker, as it comes';
export const BULLMQ = 'BullMQ (Redis without persistence)';

const row = (key: string, side: string, { jobs }: PeerWork) =>
  newRow({ key, workload: `${jobs} jobs`, side, unit: 'jobs/s', tasks: jobs });

function graphile(bench: Bench, side: Side, name: string, work: PeerWork, batched: boolean): Contender {
  const result = row('B2.graphile', name, work);
  return {
    row: result,
    async round() {
      const url = await bench.postgres.create('peer', 'empty');
      await side.call('open', { url, slots: work.slots, batched });
      try {
        await side.call('burst', { jobs: Math.min(1000, work.jobs) });
        await quiet(bench);
        const { result: done, cost } = await measure(treesOf(bench, [side]), () =>
          side.call<{ ms: number }>('burst', { jobs: work.jobs }),
        );
        result.values.push((work.jobs / done.ms) * 1000);
        result.costs.push(cost);
        bench.log(`B2 ${name}: ${result.values.at(-1)?.toFixed(0)} jobs/s`);
      } finally {
        await side.call('close');
        await bench.postgres.drop('peer');
      }
    },
  };
}

function bullmq(bench: Bench, side: Side, redis: { socket: string; pid: number }, work: PeerWork): Contender {
  const result = row('B2.bullmq', BULLMQ, work);
  return {
    row: result,
    async round() {
      await side.call('open', { socket: redis.socket, slots: work.slots });
      try {
        await side.call('burst', { jobs: Math.min(1000, work.jobs) });
        await quiet(bench);
        // Its database is Redis, so Redis stands in the place of Postgres
        const trees = { ...treesOf(bench, [side]), database: [redis.pid] };
        const { result: done, cost } = await measure(trees, () =>
          side.call<{ ms: number }>('burst', { jobs: work.jobs }),
        );
        result.values.push((work.jobs / done.ms) * 1000);
        result.costs.push(cost);
        bench.log(`B2 ${BULLMQ}: ${result.values.at(-1)?.toFixed(0)} jobs/s`);
      } finally {
        await side.call('close');
      }
    },
  };
}

export async function startPeers(bench: Bench, work: PeerWork): Promise<Peers> {
  const graphileSide = await startSide('graphile-worker', 'peers/graphile');
  const { redis } = bench;
  const bullmqSide = redis ? await startSide('BullMQ', 'peers/bullmq') : null;
  return {
    contenders: [
      graphile(bench, graphileSide, GRAPHILE_BATCHED, work, true),
      ...(redis && bullmqSide ? [bullmq(bench, bullmqSide, redis, work)] : []),
    ],
    async stop() {
      await graphileSide.stop();
      await bullmqSide?.stop();
    },
  };
}
