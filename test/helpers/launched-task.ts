/** A task that was claimed for a cluster, and the Pod that comes for it; a stand-in answers for the cluster. */
import type { DagSpec } from '#sdk/dag-spec.ts';
import type { Dispatch } from '#sdk/protocol.ts';
import { clusterQueue } from '#sdk/system-tasks.ts';
import { validateDagSpec } from '#sdk/validate-dag-spec.ts';
import type { TokenAnswer } from '#server/auth/pod-identity.ts';
import type { TokenReviewers } from '#server/auth/pod-exchange.ts';
import type { TestApp } from './app.ts';
import type { TestDatabase } from './database.ts';

export const TEST_CLUSTER = 'test';
/** Has the shape of a token; only the stand-in knows it. */
export const POD_TOKEN = 'header.payload.signature';
export const POD = { namespace: 'tasks', name: 'dag-task-abc', uid: '7f9c24e8-3b12-4a3e-9c1d-1f2a3b4c5d6e' };

export interface ClusterStandIn extends TokenReviewers {
  /** What the cluster says of any token. */
  answer: TokenAnswer | Error;
  asked: { token: string; audiences: string[] }[];
}

export const tokenAnswer = (more: Partial<TokenAnswer> = {}): TokenAnswer => ({
  authenticated: true,
  podName: POD.name,
  podUid: POD.uid,
  namespace: POD.namespace,
  error: '',
  ...more,
});

export function createClusterStandIn(): ClusterStandIn {
  const standIn: ClusterStandIn = {
    answer: tokenAnswer(),
    asked: [],
    get: (cluster) =>
      Promise.resolve(
        cluster !== TEST_CLUSTER
          ? null
          : {
              reviewToken(token, audiences) {
                standIn.asked.push({ token, audiences });
                const { answer } = standIn;
                return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
              },
            },
      ),
  };
  return standIn;
}

/** A DAG whose tasks are for the cluster. */
export function clusterDag(dag: { dagId: string; tasks: object[] }): DagSpec {
  const read = validateDagSpec({ specVersion: 1, ...dag });
  if (!read.ok) throw new Error(JSON.stringify(read.issues));
  return {
    ...read.spec,
    tasks: read.spec.tasks.map((task) => ({ ...task, queue: clusterQueue(TEST_CLUSTER) })),
  };
}

/** Runs the DAG as far as a launcher would: its first task is claimed, and its Pod asked for. */
export async function launchFirstTask(
  { engine }: Pick<TestApp, 'engine'>,
  { pool }: TestDatabase,
  spec: DagSpec,
): Promise<{ runId: number; dispatch: Dispatch }> {
  const { dagId } = await engine.deploy(spec);
  const [run] = await engine.createRuns([{ dagId, kind: 'manual' }]);
  const dispatch = await launchNext({ engine }, { pool } as TestDatabase);
  return { runId: run!.runId, dispatch };
}

export async function launchNext({ engine }: Pick<TestApp, 'engine'>, { pool }: TestDatabase): Promise<Dispatch> {
  const claim = { queues: [clusterQueue(TEST_CLUSTER)], limit: 1, cluster: TEST_CLUSTER };
  const [dispatch] = await engine.claim({ workerId: await engine.worker('launcher'), ...claim });
  if (!dispatch) throw new Error('There was nothing to launch.');
  await pool.query(
    `update launch set kind = 'runner', namespace = $2, name = $3, uid = $4, phase = 'created' where dispatch_id = $1`,
    [dispatch.dispatchId.split('.').at(-1), POD.namespace, POD.name, POD.uid],
  );
  return dispatch;
}

/** What became of the tries of a run. */
export async function triesOf({ pool }: TestDatabase, runId: number) {
  const { rows } = await pool.query<{
    outcome: string | null;
    cause: string | null;
    message: string | null;
    log_bytes: number;
  }>(
    'select outcome, cause, message, log_bytes from task_try where run_id = $1 order by task_index, map_index, try_number',
    [runId],
  );
  return rows;
}

/** The text of a dispatch's log, without times: `o text`. */
export async function logLinesOf({ pool }: TestDatabase, dispatchId: string): Promise<string[]> {
  const [runId, , , uuid] = dispatchId.split('.');
  const { rows } = await pool.query<{ body: string }>(
    'select body from log_chunk where run_id = $1 and dispatch_id = $2 order by byte_offset',
    [runId, uuid],
  );
  return rows
    .map((row) => row.body)
    .join('')
    .split('\n')
    .slice(0, -1)
    .map((line) => line.slice(25));
}
