/** A service of several processes, as it is deployed: server, workers, and a client that is not counted. */
import { setTimeout as sleep } from 'node:timers/promises';
import { dagFile, dagInput, type DagChoice } from './dag-inputs.ts';
import { homeOf, treesOf, withClient, type Burst, type EngineRound, type Sequence } from './engine-rounds.ts';
import { tasksOf } from './graphs.ts';
import { measure, type Measured } from './measure.ts';
import { quiet } from './rounds.ts';
import type { Bench } from './scenario.ts';
import { startSide, type Side } from './side.ts';
import { verifyRuns } from './verify.ts';

export interface Service {
  server: Side;
  workers: Side[];
  client: Side;
  stop(): Promise<void>;
}

const CONNECTIONS = 32;
const LOOK_MS = 20;

export async function startService({ workers: count = 1 } = {}): Promise<Service> {
  const server = await startSide('server', 'sides/server');
  const workers: Side[] = [];
  while (workers.length < count) workers.push(await startSide('worker', 'sides/worker'));
  const client = await startSide('client', 'sides/client');
  return {
    server,
    workers,
    client,
    async stop() {
      for (const side of [client, ...workers, server]) await side.stop();
    },
  };
}

interface Addresses {
  address: string;
  clientToken: string;
  workerToken: string;
}

export interface OpenService {
  url: string;
  /** Of all workers together. */
  slots: number;
  flavour: DagChoice['flavour'];
  /** The worker is a process of its own, else part of the server's. */
  apart: boolean;
  /** Redis is the broker. */
  redis?: boolean | undefined;
}

/** Returns what closes it. */
export async function openService(bench: Bench, service: Service, open: OpenService): Promise<() => Promise<void>> {
  const { server, workers, client } = service;
  const { url, slots, flavour, apart } = open;
  const redis = open.redis ? bench.redis?.socket : undefined;
  const home = homeOf(bench, { flavour });
  const role = apart ? 'api' : 'all';
  const { address, clientToken, workerToken } = await server.call<Addresses>('open', { url, slots, role, home, redis });
  const share = { address, token: workerToken, slots: Math.ceil(slots / workers.length) };
  if (apart) for (const worker of workers) await worker.call('open', { ...share, home: homeOf(bench, { flavour }) });
  await client.call('open', { address, token: clientToken });
  return async () => {
    await client.call('close');
    if (apart) for (const worker of workers) await worker.call('close');
    await server.call('close');
  };
}

/** The milliseconds it took, as the client saw it. */
export const deployOver = ({ client }: Service, choice: DagChoice): Promise<number> =>
  choice.flavour === 'typescript'
    ? client.call('deployFile', { path: dagFile(choice.shape), name: nameOf(choice) })
    : client.call('deploy', dagInput(choice));

export const nameOf = ({ shape }: Pick<DagChoice, 'shape'>): string => `bench_${shape}`;

interface Total {
  count: number;
  at: number;
  refused: string | null;
}

async function totalOf(workers: readonly Side[]): Promise<Total> {
  const totals = await Promise.all(workers.map((worker) => worker.call<Total>('total')));
  return {
    count: totals.reduce((sum, { count }) => sum + count, 0),
    at: Math.max(...totals.map(({ at }) => at)),
    refused: totals.find(({ refused }) => refused !== null)?.refused ?? null,
  };
}

/** When the last of so many reports was recorded, as the worker that sent it saw it. */
async function recorded(workers: readonly Side[], count: number): Promise<number> {
  for (;;) {
    const total = await totalOf(workers);
    if (total.refused !== null) throw new Error(`A report was answered ${total.refused}.`);
    if (total.count >= count) return total.at;
    await sleep(LOOK_MS);
  }
}

async function burst(
  { server, workers, client }: Service,
  round: EngineRound,
  runs: number,
): Promise<Omit<Burst, 'deployMs'>> {
  if (round.watchLoop) await server.call('watchLoop');
  const before = await totalOf(workers);
  const triggers = round.eachByMutation ? client : server;
  const begin = await triggers.call<number>('burst', { dagId: nameOf(round), runs, connections: CONNECTIONS });
  const end = await recorded(workers, before.count + runs * tasksOf(round.shape));
  const stallMs = round.watchLoop ? await server.call<number>('takeStall') : null;
  return { ms: (end - begin) / 1000, firstRun: 0, stallMs };
}

async function sequence({ client }: Service, round: EngineRound, runs: number): Promise<Sequence> {
  const ms = await client.call<number[]>('sequence', { dagId: nameOf(round), runs });
  return { ms, firstRun: 0 };
}

/** A round of several processes in a new database. Throws when the check fails. */
export async function serviceRound<R extends Burst | Sequence>(
  bench: Bench,
  service: Service,
  round: EngineRound,
): Promise<Measured<R>> {
  const { slots, runs, warmRuns, flavour, inSequence, redis } = round;
  const name = `round_${service.server.pid}`;
  const url = await bench.postgres.create(name);
  const close = await openService(bench, service, { url, slots, flavour, apart: true, redis });
  try {
    const deployMs = await deployOver(service, round);
    const work = (count: number): Promise<Sequence | Omit<Burst, 'deployMs'>> =>
      (inSequence ? sequence : burst)(service, round, count);
    if (warmRuns > 0) await work(warmRuns);
    await quiet(bench);
    const measured = await measure(treesOf(bench, [service.server, ...service.workers]), () => work(runs));
    await withClient(url, (client) => verifyRuns(client, 0, runs + warmRuns));
    return { ...measured, result: { ...measured.result, deployMs } as R & Burst };
  } finally {
    await close();
    await bench.postgres.drop(name);
  }
}
