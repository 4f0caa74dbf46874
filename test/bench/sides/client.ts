/** A client: deploys, triggers and watches over GraphQL, like the commands do. It is no part of what is measured. */
import { setTimeout as sleep } from 'node:timers/promises';
import { loadDagFile } from '#server/bundles/load-dag-file.ts';
import { createApiClient, type ApiClient } from '#server/cli/api-client.ts';
import { nowUs, serveSide } from './serve.ts';
import type { HandlerStart } from './supervise.ts';

const DEPLOY = `mutation Deploy($input: DeployDagInput!) {
  deployDag(input: $input) { __typename ... on Error { message } ... on MutationDeployDagSuccess { data { created } } } }`;
const TRIGGER = `mutation Trigger($input: TriggerDagRunInput!) {
  triggerDagRun(input: $input) { __typename ... on Error { message } ... on MutationTriggerDagRunSuccess { data { runId } } } }`;
const ENDS = `subscription Ends($filter: EventFilter) { events(filter: $filter) { kind runId runState } }`;

interface Outcome<T> {
  message?: string;
  data?: T;
}

let service: { url: string; token: string };
let client: ApiClient;

async function change<T>(query: string, input: unknown): Promise<T> {
  const [outcome] = Object.values(await client.request<{ [field: string]: Outcome<T> }>(query, { input }));
  if (!outcome?.data) throw new Error(`The service refused: ${outcome?.message}`);
  return outcome.data;
}

const triggerOne = async (dagId: string): Promise<string> =>
  (await change<{ runId: string }>(TRIGGER, { dagId })).runId;

/** Ends of runs, as the subscription tells them, on a socket of its own. */
function watchEnds(dagId: string) {
  const watcher = createApiClient(service);
  const ends = new Map<string, () => void>();
  const ended = new Set<string>();
  const events = watcher.subscribe<{ events: { kind: string; runId: string | null; runState: string | null } }>(ENDS, {
    filter: { dagIds: [dagId] },
  });
  const reading = (async () => {
    for await (const { events: event } of events) {
      if (event.kind === 'RESYNC') throw new Error('The subscription had to begin anew.');
      if (event.runId === null || event.runState !== 'SUCCESS') continue;
      ended.add(event.runId);
      ends.get(event.runId)?.();
    }
  })();
  return {
    end: (runId: string) =>
      Promise.race([
        reading,
        new Promise<void>((resolve) => (ended.has(runId) ? resolve() : void ends.set(runId, resolve))),
      ]),
    async stop() {
      await watcher.stop();
      await reading;
    },
  };
}

interface Work {
  dagId: string;
  runs: number;
  /** Requests under way at once. */
  connections: number;
}

serveSide({
  open({ address, token }: { address: string; token: string }) {
    service = { url: address, token };
    client = createApiClient(service);
  },
  close: () => client.stop(),
  async deploy(spec: unknown) {
    const begin = performance.now();
    await change(DEPLOY, { spec });
    return performance.now() - begin;
  },
  async deployFile({ path, name }: { path: string; name: string }) {
    const begin = performance.now();
    const { dags, errors } = await loadDagFile(path);
    const wanted = dags.find(({ spec }) => spec.dagId === name);
    if (!wanted) throw new Error(`${path} has no DAG "${name}": ${JSON.stringify(errors)}`);
    await change(DEPLOY, { spec: wanted.spec, bundle: wanted.bundle?.archive.toString('base64') });
    return performance.now() - begin;
  },
  /** Triggers all runs; says when it began. */
  async burst({ dagId, runs, connections }: Work) {
    const at = nowUs();
    let left = runs;
    const lane = async () => {
      while (left-- > 0) await triggerOne(dagId);
    };
    await Promise.all(Array.from({ length: Math.min(connections, runs) }, lane));
    return at;
  },
  /** One run at a time, each from the request to the message of its success. */
  async sequence({ dagId, runs }: Work) {
    const watch = watchEnds(dagId);
    // The subscription begins some time after it was sent
    await sleep(300);
    const ms: number[] = [];
    for (let i = 0; i < runs; i++) {
      const begin = performance.now();
      await watch.end(await triggerOne(dagId));
      ms.push(performance.now() - begin);
    }
    await watch.stop();
    return ms;
  },
  async triggerIdle({ dagId, samples, gapMs }: { dagId: string; samples: number; gapMs: number }) {
    const triggers: HandlerStart[] = [];
    for (let i = 0; i < samples; i++) {
      await sleep(gapMs * (0.75 + Math.random() / 2));
      const at = nowUs();
      triggers.push({ runId: await triggerOne(dagId), at });
    }
    return triggers;
  },
});
