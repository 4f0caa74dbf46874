/** The facts behind an end, to be kept with the try: bounded, and nothing of the Pod's spec but what it was limited to. Pure. */
import type { Json } from '#sdk/protocol.ts';
import { parseQuantity } from '#sdk/quantity.ts';
import type { KubeContainerStatus, KubePod } from './kube-types.ts';
import { realTime } from './pod-facts.ts';

const MOST_TEXT = 1000;
const MOST_CONTAINERS = 20;
const MIB = 1024 * 1024;

export const shorten = (text: string, most = MOST_TEXT): string =>
  text.length > most ? `${text.slice(0, most)}…` : text;
export const mib = (bytes: number): string => `${Math.round(bytes / MIB)} MiB`;

/** Bytes; null: no limit. */
export function memoryLimit(pod: KubePod, base: string): number | null {
  const containers = pod.spec?.containers ?? [];
  const container = containers.find(({ name }) => name === base) ?? containers[0];
  return parseQuantity(container?.resources?.limits?.['memory'] ?? '');
}

type Facts = { [name: string]: Json };

/** Without what is not there. */
const present = (facts: { [name: string]: Json | undefined }): Facts =>
  Object.fromEntries(
    Object.entries(facts).filter((entry): entry is [string, Json] => entry[1] !== undefined && entry[1] !== null),
  );

function containerFacts(status: KubeContainerStatus, kind: 'init' | 'container'): Facts {
  const { running, terminated, waiting } = status.state ?? {};
  const said = terminated ?? waiting;
  return present({
    name: status.name,
    kind,
    image: status.image,
    state: terminated ? 'terminated' : running ? 'running' : 'waiting',
    reason: said?.reason,
    message: said?.message === undefined ? undefined : shorten(said.message),
    exitCode: terminated?.exitCode,
    signal: terminated?.signal || undefined,
    startedAt: realTime(running?.startedAt ?? terminated?.startedAt),
    finishedAt: realTime(terminated?.finishedAt),
    restarts: status.restartCount || undefined,
  });
}

/** @param peakMemory bytes, where somebody measured them. */
export function podEvidence(pod: KubePod, base: string, peakMemory: number | null): Facts {
  const { metadata, spec, status } = pod;
  const container = spec?.containers?.find(({ name }) => name === base) ?? spec?.containers?.[0];
  const conditions = (status?.conditions ?? []).filter(
    ({ type, status: value }) => value !== 'True' || type === 'DisruptionTarget',
  );
  const containers = [
    ...(status?.initContainerStatuses ?? []).map((each) => containerFacts(each, 'init')),
    ...(status?.containerStatuses ?? []).map((each) => containerFacts(each, 'container')),
  ];
  return present({
    pod: metadata?.name,
    namespace: metadata?.namespace,
    uid: metadata?.uid,
    node: spec?.nodeName,
    phase: status?.phase,
    reason: status?.reason,
    message: status?.message === undefined ? undefined : shorten(status.message),
    deletionAskedFor: metadata?.deletionTimestamp === undefined ? undefined : true,
    limits: container?.resources?.limits,
    requests: container?.resources?.requests,
    memoryLimit: memoryLimit(pod, base),
    peakMemory,
    conditions: conditions.map(({ type, status: value, reason, message }) =>
      present({ type, status: value, reason, message: message === undefined ? undefined : shorten(message) }),
    ),
    containers: containers.slice(0, MOST_CONTAINERS),
  });
}
