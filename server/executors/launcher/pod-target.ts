/** A Pod that is a task, or runs one's code. */
import type { V1Pod } from '@kubernetes/client-node';
import type { LaunchKind } from '#db/queries/launches.ts';

import type { ClusterClient } from '../kubernetes/cluster-client.ts';
import type { KubePod } from '../kubernetes/kube-types.ts';
import { LABELS } from '../kubernetes/labels.ts';
import { BASE_CONTAINER } from '../kubernetes/pod-fields.ts';
import { podEvidence } from '../kubernetes/pod-evidence.ts';
import { observeCollector } from '../kubernetes/collector-outcome.ts';
import { readCollected } from '../../pod/collected-result.ts';
import { followPodLog } from './follow-pod-log.ts';
import { observeGone, observePod } from '../kubernetes/pod-outcome.ts';
import { readResult } from './pod-result.ts';
import type { Collecting, ObjectEnd, OnFinish, Seen, Target, TargetLimits } from './target.ts';

export const POD_API = 'v1 Pod';
const LAST_LINES = 20;

export interface PodTargetOptions {
  client: ClusterClient;
  kind: LaunchKind & ('pod' | 'runner');
  pod: V1Pod;
  uuid: string;
  onFinish: OnFinish;
  limits: TargetLimits;
  /** Whose output is the log; null: it brings its output itself. */
  containers: string[] | null;
  /** Of the container's end. */
  skipOnExitCode: readonly number[];
  /** Where its result is: in the termination message of its container, or in that of its collector. */
  result: 'none' | 'message' | 'collected';
  rendered: { [field: string]: string } | null;
  /** Of a mapped instance, for people. */
  mapName: string | null;
}

const date = (text: string | null | undefined): Date | null => (text ? new Date(text) : null);

export function podTarget(options: PodTargetOptions): Target {
  const { client, uuid, skipOnExitCode } = options;
  const pod = options.pod as unknown as KubePod;
  const { namespace = '', name = '' } = pod.metadata ?? {};

  return {
    kind: options.kind,
    api: POD_API,
    namespace,
    name,
    onFinish: options.onFinish,
    limits: options.limits,
    rendered: options.rendered,
    mapName: options.mapName,
    create: (signal) => client.createPod(namespace, pod, signal),
    async find(signal) {
      const found = await client.getPod(namespace, name, signal);
      if (!found) return 'none';
      return found.metadata?.labels?.[LABELS.dispatch] === uuid ? { object: found } : 'foreign';
    },
    remove: (how) => client.deletePod(namespace, name, how),
    see: (object, now, events) => seePod(object as KubePod, now, events, skipOnExitCode),
    whenGone: (last, byUs) =>
      withSkip(
        observeGone((last as KubePod | undefined) ?? null, { base: BASE_CONTAINER, deletedByUs: byUs }),
        skipOnExitCode,
      ),
    followLog:
      options.containers &&
      ((log, signals) => followPodLog({ client, namespace, name, containers: options.containers ?? [] }, log, signals)),
    async lastLines() {
      const stream = await client.podLog(namespace, name, { container: BASE_CONTAINER, tailLines: LAST_LINES });
      const parts: Buffer[] = [];
      for await (const part of stream) parts.push(part as Buffer);
      return Buffer.concat(parts)
        .toString()
        .split('\n')
        .filter((line) => line.trim() !== '');
    },
    events: (uid) => (uid === '' ? Promise.resolve([]) : client.listEvents(namespace, uid)),
    collect: options.result === 'collected' ? collectedEnd : null,
    results: ({ terminationMessage }) => resultOf(options.result, terminationMessage),
  };
}

function seePod(
  pod: KubePod,
  now: Date,
  events: Parameters<Target['see']>[2],
  skipOnExitCode: readonly number[],
): Seen {
  const seen = observePod(pod, { base: BASE_CONTAINER, now: now.getTime(), ...(events && { events }) });
  return {
    ...seen,
    uid: pod.metadata?.uid ?? null,
    createdAt: date(pod.metadata?.creationTimestamp),
    scheduledAt: date(seen.scheduledAt),
    startedAt: date(seen.startedAt),
    finishedAt: date(seen.finishedAt),
    end: seen.end && withSkip(seen.end, skipOnExitCode),
  };
}

/** With what the collector left in place of what the task's container did. */
function collectedEnd(object: unknown, end: ObjectEnd, { now, ...how }: Collecting): ObjectEnd | null {
  const pod = (object ?? {}) as KubePod;
  const seen = observeCollector(pod, { ...how, now: now.getTime() });
  if (seen.state === 'busy') return null;
  if (seen.state === 'ended') return { ...end, terminationMessage: seen.message };
  const { cause, message } = seen;
  return { ...end, outcome: 'failed', cause, message, evidence: podEvidence(pod, BASE_CONTAINER, null) };
}

function resultOf(where: PodTargetOptions['result'], message: string | null): ReturnType<Target['results']> {
  if (where === 'none') return {};
  if (where === 'message') return readResult(message);
  const collected = readCollected(message);
  return 'problem' in collected ? { invalid: collected.problem } : collected;
}

function withSkip(end: ObjectEnd, codes: readonly number[]): ObjectEnd {
  if (end.cause !== 'exit_code' || end.exitCode === null || !codes.includes(end.exitCode)) return end;
  return {
    ...end,
    outcome: 'skipped',
    cause: 'skipped_by_task',
    message: `It exited with ${end.exitCode}, which skips it.`,
  };
}

/** Enough to remove a Pod of which nothing but the name is known. */
export function podRemains(client: ClusterClient, namespace: string, name: string, onFinish: OnFinish): Target {
  const pod = { metadata: { namespace, name } } as V1Pod;
  const limits = { schedule: null, start: null, run: null, grace: 30 };
  return podTarget({
    ...{ client, kind: 'pod', pod, uuid: '', onFinish, limits, containers: null },
    ...{ skipOnExitCode: [], result: 'none', rendered: null, mapName: null },
  });
}
