/** An object of any kind that is a task: a Job, a SparkApplication, a FlinkDeployment. */
import type { ResourceTaskSpec } from '#sdk/dag-spec.ts';
import type { Json } from '#sdk/protocol.ts';
import type { ClusterClient } from '../kubernetes/cluster-client.ts';
import type { KubeObject } from '../kubernetes/kube-types.ts';
import { LABELS } from '../kubernetes/labels.ts';
import { resourceOutcome } from '../kubernetes/resource-outcome.ts';
import { followSelectedPods } from './follow-selected-pods.ts';
import type { ObjectEnd, Seen, Target } from './target.ts';

/** Characters of an object's status that are kept with the try. */
const MOST_STATUS = 8_000;
const GRACE_SECONDS = 30;

export interface ResourceTargetOptions {
  client: ClusterClient;
  object: KubeObject;
  uuid: string;
  task: Pick<ResourceTaskSpec, 'success' | 'failure' | 'result' | 'startupTimeout' | 'executionTimeout' | 'onFinish'>;
  /** Label selector of the Pods whose output is the log; null: none. */
  logs: string | null;
  rendered: { [field: string]: string } | null;
  /** Of a mapped instance, for people. */
  mapName: string | null;
}

export function resourceTarget(options: ResourceTargetOptions): Target {
  const { client, object, uuid, task, logs, rendered, mapName } = options;
  const { apiVersion = '', kind = '', metadata } = object;
  const { namespace = '', name = '' } = metadata ?? {};
  const ref = { apiVersion, kind, namespace, name };
  return {
    kind: 'resource',
    api: `${apiVersion} ${kind}`,
    namespace,
    name,
    onFinish: task.onFinish,
    limits: { schedule: null, start: task.startupTimeout, run: task.executionTimeout, grace: GRACE_SECONDS },
    rendered,
    mapName,
    create: (signal) => client.createObject(object, namespace, signal),
    async find(signal) {
      const found = await client.getObject(ref, signal);
      if (!found) return 'none';
      return found.metadata?.labels?.[LABELS.dispatch] === uuid ? { object: found } : 'foreign';
    },
    // With its Pods: what takes its place must not meet them
    remove: (how) => client.deleteObject(ref, { ...how, withDependents: how.graceSeconds === undefined }),
    see: (seen, now) => seeObject({ apiVersion, kind, ...(seen as KubeObject) }, task, now),
    whenGone: (last, byUs) =>
      endOf({
        outcome: 'failed',
        cause: 'resource_deleted',
        message: byUs ? `The ${kind} was deleted.` : `Somebody has deleted the ${kind}.`,
        evidence: evidenceOf(last as KubeObject | undefined),
      }),
    followLog:
      logs === null ? null : (log, signals) => followSelectedPods({ client, namespace, selector: logs }, log, signals),
    lastLines: () => Promise.resolve([]),
    events: (uid) => (uid === '' ? Promise.resolve([]) : client.listEvents(namespace, uid)),
    collect: null,
    results: ({ terminationMessage }) =>
      task.result === null || terminationMessage === null
        ? {}
        : { xcoms: { return_value: JSON.parse(terminationMessage) as Json } },
  };
}

const endOf = (end: Pick<ObjectEnd, 'outcome' | 'cause' | 'message' | 'evidence'> & { result?: Json }): ObjectEnd => ({
  exitCode: null,
  terminationMessage: end.result === undefined ? null : JSON.stringify(end.result),
  // Its controller may have begun at once
  free: false,
  retryable: true,
  ...end,
});

function evidenceOf(object: KubeObject | undefined): { [name: string]: Json } {
  const text = JSON.stringify(object?.['status'] ?? null);
  return { status: text.length > MOST_STATUS ? `${text.slice(0, MOST_STATUS)}…` : (JSON.parse(text) as Json) };
}

function seeObject(object: KubeObject, task: ResourceTargetOptions['task'], now: Date): Seen {
  const outcome = resourceOutcome(object, task);
  const created = object.metadata?.creationTimestamp;
  const createdAt = created ? new Date(created) : null;
  const isAtWork = outcome.state !== 'running' || outcome.started;
  return {
    phase: outcome.state !== 'running' ? 'ended' : isAtWork ? 'started' : 'scheduled',
    uid: object.metadata?.uid ?? null,
    node: null,
    reason: outcome.state === 'running' ? 'InProgress' : null,
    message: outcome.state === 'running' ? (outcome.note ?? 'Its controller has not taken notice of it yet.') : null,
    fatal: null,
    createdAt,
    scheduledAt: createdAt,
    startedAt: isAtWork ? createdAt : null,
    finishedAt: outcome.state === 'running' ? null : now,
    end: endOfOutcome(outcome, object),
  };
}

function endOfOutcome(outcome: ReturnType<typeof resourceOutcome>, object: KubeObject): ObjectEnd | null {
  if (outcome.state === 'running') return null;
  const evidence = evidenceOf(object);
  if (outcome.state === 'failed')
    return endOf({ outcome: 'failed', cause: 'resource_failed', message: outcome.message, evidence });
  return endOf({ outcome: 'success', cause: 'ok', message: '', evidence, result: outcome.result });
}

/** Enough to remove an object of which nothing but its name is known. */
export function resourceRemains(client: ClusterClient, api: string, namespace: string, name: string): Target {
  const [apiVersion = '', kind = ''] = api.split(' ');
  const nothing = { success: [], failure: [], result: null, startupTimeout: 0, executionTimeout: null };
  const task = { ...nothing, onFinish: 'delete' as const };
  const object = { apiVersion, kind, metadata: { namespace, name } };
  return resourceTarget({ client, object, uuid: '', task, logs: null, rendered: null, mapName: null });
}
