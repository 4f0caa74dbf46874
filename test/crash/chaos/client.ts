/** Whoever uses the service meanwhile: triggers runs at a steady pace, each under a key of its own, asked again until it is answered. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createApiClient } from '../../../server/cli/api-client.ts';
import type { Fleet } from './fleet.ts';

export interface Client {
  /** Resolves when all runs are acknowledged: the id of the run under each key. */
  done: Promise<Map<string, number>>;
  stop(): void;
}

export interface ClientOptions {
  fleet: Fleet;
  dagIds: readonly string[];
  runs: number;
  /** Over so long. */
  ms: number;
  witness: string;
}

const TRIGGER = /* GraphQL */ `
  mutation Trigger($input: TriggerDagRunInput!) {
    triggerDagRun(input: $input) {
      __typename
      ... on Error {
        message
      }
      ... on MutationTriggerDagRunSuccess {
        data {
          runId
        }
      }
    }
  }
`;

export function startClient({ fleet, dagIds, runs, ms, witness }: ClientOptions): Client {
  const url = `http://127.0.0.1:${fleet.line.port}`;
  const api = createApiClient({ url, token: fleet.token });
  const abort = new AbortController();
  const trigger = async (n: number): Promise<[string, number]> => {
    const idempotencyKey = `run ${n}`;
    const dagId = dagIds[n % dagIds.length]!;
    const input = { dagId, idempotencyKey, conf: { witness, customer: n % 3 }, logicalDate: null };
    for (;;) {
      abort.signal.throwIfAborted();
      const answer = await inTime(
        api.request<{ triggerDagRun: { data?: { runId: string }; message?: string } }>(TRIGGER, { input }),
      ).catch(() => undefined);
      if (answer?.triggerDagRun.message) throw new Error(`${idempotencyKey}: ${answer.triggerDagRun.message}`);
      if (answer?.triggerDagRun.data) return [idempotencyKey, Number(answer.triggerDagRun.data.runId)];
      await sleep(300);
    }
  };
  const all = async () => {
    const asked: Promise<[string, number]>[] = [];
    for (let n = 0; n < runs; n++) {
      asked.push(trigger(n));
      await sleep(ms / runs, undefined, { signal: abort.signal });
    }
    return new Map(await Promise.all(asked));
  };
  const done = all();
  done.catch(() => undefined);
  return { done, stop: () => abort.abort(new Error('the client was stopped')) };
}

/** A request may hang as long as what it meets: asked again, it is the same request. */
const inTime = <T>(request: Promise<T>): Promise<T | undefined> => {
  request.catch(() => undefined);
  return Promise.race([request, sleep(5_000, undefined, { ref: false })]);
};
