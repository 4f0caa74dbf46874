/** A worker's view of the service over the network. It comes and goes over HTTP, and works over one socket; a slow poll is the net. */
import type { Dispatch, ReportAnswer } from '#sdk/protocol.ts';
import { resultOfResponse } from './service-answer.ts';
import { createServiceSocket } from './service-socket.ts';
import { createServiceTransfers, type ServiceTransfers } from './service-transfers.ts';
import type { BeatAnswer, WorkerApi, WorkerListener } from './worker-api.ts';

const TIMEOUT_MS = 30_000;
const POLL_MS = 5_000;

const REGISTER = `mutation RegisterWorker($input: RegisterWorkerInput!) { registerWorker(input: $input) { workerId } }`;
const CLAIM = `mutation ClaimTasks($input: ClaimTasksInput!) { claimTasks(input: $input) { dispatches } }`;
const REPORT = `mutation ReportTasks($input: ReportTasksInput!) { reportTasks(input: $input) { answers dispatches } }`;
const HEARTBEAT = `mutation Heartbeat($input: HeartbeatInput!) { heartbeat(input: $input) { fenced registered drain } }`;
const APPEND = `mutation AppendTaskLogs($input: AppendTaskLogsInput!) { appendTaskLogs(input: $input) { accepted } }`;
const RETIRE = `mutation RetireWorker($input: RetireWorkerInput!) { retireWorker(input: $input) { workerId } }`;
const WAKE = `subscription WorkAvailable($workerId: ID!) { workAvailable(workerId: $workerId) { queues fenced } }`;

export interface GraphqlWorkerApiDeps {
  /** The service, e.g. http://millrace:4400 */
  url: string;
  /** A worker key. */
  token: string;
  onError(error: unknown): void;
}

export function createGraphqlWorkerApi({
  url,
  token,
  onError,
}: GraphqlWorkerApiDeps): WorkerApi & ServiceTransfers & { stop(): Promise<void> } {
  const endpoint = new URL('/graphql', url);
  const headers = { authorization: `Bearer ${token}` };

  const { request, subscribe, close } = createServiceSocket({ url, headers, timeoutMs: TIMEOUT_MS });

  const post = async <T>(query: string, input: unknown): Promise<T> => {
    const response = await fetch(endpoint, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify({ query, variables: { input } }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    return resultOfResponse<T>(response);
  };

  const fillSlots = async ({ workerId, queues, slots }: WorkerListener): Promise<void> => {
    const limit = slots.take();
    if (limit === 0) return;
    let dispatches: Dispatch[] = [];
    try {
      ({ dispatches } = await request<{ dispatches: Dispatch[] }>(CLAIM, {
        workerId: String(workerId),
        queues,
        limit,
      }));
    } finally {
      slots.deliver(dispatches, limit);
    }
  };

  return {
    async register({ labels = {}, ...info }) {
      const input = { ...info, labels: Object.entries(labels).map(([name, value]) => ({ name, value })) };
      return Number((await post<{ workerId: string }>(REGISTER, input)).workerId);
    },
    claim: async (workerId, wish) =>
      (await request<{ dispatches: Dispatch[] }>(CLAIM, { workerId: String(workerId), ...wish })).dispatches,
    report: (workerId, reports, claim) =>
      request<{ answers: ReportAnswer[]; dispatches: Dispatch[] }>(REPORT, {
        workerId: workerId === null ? null : String(workerId),
        reports,
        claim,
      }),
    async heartbeat(workerId, dispatchIds, said) {
      const input = {
        workerId: workerId === null ? null : String(workerId),
        dispatchIds,
        sentAt: new Date().toISOString(),
        ...said,
      };
      const answer = await request<Omit<BeatAnswer, 'drain'> & { drain: string | null }>(HEARTBEAT, input);
      return { ...answer, drain: (answer.drain?.toLowerCase() ?? null) as BeatAnswer['drain'] };
    },
    async appendLogs(chunks) {
      await request(APPEND, { chunks });
    },
    listen(listener) {
      const fill = () => void fillSlots(listener).catch(onError);
      const unsubscribe = subscribe<{ workAvailable: { fenced: boolean } }>(
        { query: WAKE, variables: { workerId: String(listener.workerId) } },
        {
          next: ({ data }) => (data?.workAvailable.fenced ? listener.onNews() : fill()),
          error: onError,
          complete: () => undefined,
        },
      );
      const poll = setInterval(fill, POLL_MS);
      fill();
      return () => {
        clearInterval(poll);
        unsubscribe();
      };
    },
    async retire(workerId, state) {
      await post(RETIRE, { workerId: String(workerId), state: state.toUpperCase() });
    },
    ...createServiceTransfers({ url, headers: () => headers }),
    stop: close,
  };
}
