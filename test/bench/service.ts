/** A service of several processes, as it is deployed: server, worker, and a client that is not counted. */
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
  worker: Side;
  client: Side;
  stop(): Promise<void>;
}

const CONNECTIONS = 32;

export async function startService(): Promise<Service> {
  const server = await startSide('server', 'sides/server');
  const worker = await startSide('worker', 'sides/worker');
  const client = await startSide('client', 'sides/client');
  return {
    server,
    worker,
    client,
    async stop() {
      for (const side of [client, worker, server]) await side.stop();
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
  slots: number;
  flavour: DagChoice['flavour'];
  /** The worker is a process of its own, else part of the server's. */
  apart: boolean;
}

/** Returns what closes it. */
export async function openService(bench: Bench, service: Service, open: OpenService): Promise<() => Promise<void>> {
  const { server, worker, client } = service;
  const { url, slots, flavour, apart } = open;
  const home = homeOf(bench, { flavour });
  const role = apart ? 'api' : 'all';
  const { address, clientToken, workerToken } = await server.call<Addresses>('open', { url, slots, role, home });
  if (apart) await worker.call('open', { address, token: workerToken, slots, home });
  await client.call('open', { address, token: clientToken });
  return async () => {
    await client.call('close');
    if (apart) await worker.call('close');
    await server.call('close');
  };
}

/** The milliseconds it took, as the client saw it. */
export const deployOver = ({ client }: Service, choice: DagChoice): Promise<number> =>
  choice.flavour === 'typescript'
    ? client.call('deployFile', { path: dagFile(choice.shape), name: nameOf(choice) })
    : client.call('deploy', dagInput(choice));

export const nameOf = ({ shape }: Pick<DagChoice, 'shape'>): string => `bench_${shape}`;

async function burst(
  { server, worker, client }: Service,
  round: EngineRound,
  runs: number,
): Promise<Omit<Burst, 'deployMs'>> {
  if (round.watchLoop) await server.call('watchLoop');
  await worker.call('expect', { tasks: runs * tasksOf(round.shape) });
  const triggers = round.eachByMutation ? client : server;
  const begin = await triggers.call<number>('burst', { dagId: nameOf(round), runs, connections: CONNECTIONS });
  const end = await worker.call<number>('recorded');
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
  const { slots, runs, warmRuns, flavour, inSequence } = round;
  const name = `round_${service.server.pid}`;
  const url = await bench.postgres.create(name);
  const close = await openService(bench, service, { url, slots, flavour, apart: true });
  try {
    const deployMs = await deployOver(service, round);
    const work = (count: number): Promise<Sequence | Omit<Burst, 'deployMs'>> =>
      (inSequence ? sequence : burst)(service, round, count);
    if (warmRuns > 0) await work(warmRuns);
    await quiet(bench);
    const measured = await measure(treesOf(bench, [service.server, service.worker]), () => work(runs));
    await withClient(url, (client) => verifyRuns(client, 0, runs + warmRuns));
    return { ...measured, result: { ...measured.result, deployMs } as R & Burst };
  } finally {
    await close();
    await bench.postgres.drop(name);
  }
}
