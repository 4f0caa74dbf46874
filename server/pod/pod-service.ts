/**
 * A Pod's view of the service, for the one dispatch that it is for. It has no token of the service's own: it shows that of its service
 * account, and gets what to run and a token for that alone.
 */
import { readFile } from 'node:fs/promises';
import type { Dispatch, LogChunk, ReportAnswer, TaskReport } from '#sdk/protocol.ts';
import { resultOfResponse, ServiceRefusal } from '../worker/service-answer.ts';
import { createServiceTransfers, type ServiceTransfers } from '../worker/service-transfers.ts';

const TIMEOUT_MS = 30_000;

const EXCHANGE = `mutation ExchangePodToken($input: ExchangePodTokenInput!) { exchangePodToken(input: $input) { dispatch } }`;
const REPORT = `mutation ReportTasks($input: ReportTasksInput!) { reportTasks(input: $input) { answers } }`;
const HEARTBEAT = `mutation Heartbeat($input: HeartbeatInput!) { heartbeat(input: $input) { fenced } }`;
const WISH = `query ResultWish($input: ID!) { resultWish(dispatchId: $input) }`;
const APPEND = `mutation AppendTaskLogs($input: AppendTaskLogsInput!) { appendTaskLogs(input: $input) { accepted } }`;

/** Whether the file with the result of the Pod is to be brought. */
export type ResultWish = 'NOT_YET' | 'NOW' | 'NEVER';

export interface PodService extends ServiceTransfers {
  /** What to run. Rejects with a ServiceRefusal when the service does not take this Pod for that of the dispatch. */
  exchange(): Promise<Dispatch>;
  /** Renews the lease; false: fenced. */
  beat(): Promise<boolean>;
  appendLogs(chunks: LogChunk[]): Promise<void>;
  report(report: TaskReport): Promise<ReportAnswer>;
  resultWish(): Promise<ResultWish>;
}

export interface PodServiceDeps {
  /** The service, e.g. http://millrace:4400 */
  url: string;
  dispatchId: string;
  /** What the service calls the cluster that the Pod runs on. */
  cluster: string;
  /** Read each time: the kubelet writes a fresh token into it before one expires. */
  tokenFile: string;
}

export function createPodService({ url, dispatchId, cluster, tokenFile }: PodServiceDeps): PodService {
  const endpoint = new URL('/graphql', url);
  let token = '';
  let renewing: Promise<Dispatch> | null = null;

  const post = async <T>(query: string, input: unknown, headers: { [name: string]: string }): Promise<T> => {
    const body = JSON.stringify({ query, variables: { input } });
    const response = await fetch(endpoint, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body,
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    return resultOfResponse<T>(response);
  };
  const exchange = async (): Promise<Dispatch> => {
    const own = (await readFile(tokenFile, 'utf8')).trim();
    const input = { dispatchId, cluster, token: own };
    const { dispatch } = await post<{ dispatch: Dispatch }>(EXCHANGE, input, {});
    token = dispatch.token ?? '';
    return dispatch;
  };
  const bearer = () => ({ authorization: `Bearer ${token}` });
  /** A token ends long before a task without a limit does, and the service's keys may have changed: there is another to be had. */
  const authorized = async <T>(request: () => Promise<T>): Promise<T> => {
    const used = token;
    try {
      return await request();
    } catch (error) {
      if (!(error instanceof ServiceRefusal && error.isCredential)) throw error;
      if (token === used) await (renewing ??= exchange().finally(() => (renewing = null)));
      return request();
    }
  };
  const ask = <T>(query: string, input: unknown): Promise<T> => authorized(() => post<T>(query, input, bearer()));

  const transfers = createServiceTransfers({ url, headers: bearer });
  return {
    exchange,
    beat: async () => (await ask<{ fenced: string[] }>(HEARTBEAT, { dispatchIds: [dispatchId] })).fenced.length === 0,
    async appendLogs(chunks) {
      await ask(APPEND, { chunks });
    },
    report: async (report) =>
      (await ask<{ answers: ReportAnswer[] }>(REPORT, { reports: [report] })).answers[0] ?? 'UNKNOWN',
    resultWish: () => ask<ResultWish>(WISH, dispatchId),
    putArtifact: (id, file) => authorized(() => transfers.putArtifact(id, file)),
    readArtifact: (id, hash) => authorized(() => transfers.readArtifact(id, hash)),
    fetchBundle: (hash) => authorized(() => transfers.fetchBundle(hash)),
  };
}
