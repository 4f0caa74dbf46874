/** Names and labels of the objects that a dispatch gets on a cluster. Pure. */
import { createHash } from 'node:crypto';
import type { FinishAction } from '#sdk/kubernetes-spec.ts';
import type { Dispatch } from '#sdk/protocol.ts';
import { ANNOTATIONS, LABELS, MANAGED_BY, OURS } from './labels.ts';

/** Characters. */
export const MOST_IN_NAME = 63;
/** Controllers append to the names of their objects. */
export const MOST_IN_RESOURCE_NAME = 45;
const HASH_LENGTH = 16;
const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';

/** The random part of a dispatch id. */
export const uuidOf = (dispatchId: string): string => dispatchId.slice(dispatchId.lastIndexOf('.') + 1);

/** 80 bits, always the same for a text. */
function shortHash(text: string): string {
  const digest = createHash('sha256').update(text).digest();
  let bits = 0n;
  for (const byte of digest.subarray(0, 10)) bits = (bits << 8n) | BigInt(byte);
  return Array.from({ length: HASH_LENGTH }, (_, i) => BASE32[Number((bits >> BigInt(75 - 5 * i)) & 31n)]).join('');
}

const sanitised = (text: string): string =>
  text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '');

/**
 * The name of a dispatch's Pod: always the same for a dispatch, so that one that may have been created is found again. It begins
 * with `prefix`, by default the ids of DAG and task, for people.
 */
export function podName(
  dagId: string,
  taskId: string,
  uuid: string,
  prefix: string | null = null,
  most = MOST_IN_NAME,
): string {
  const readable = sanitised(prefix ?? `${dagId}-${taskId}`).slice(0, most - HASH_LENGTH - 1);
  return `${readable.replace(/-$/, '') || 'task'}-${shortHash(uuid)}`;
}

/** A text as the value of a label: shortened with a hash where it is too long. */
export function labelValue(text: string): string {
  const fit = text.replaceAll(/[^A-Za-z0-9._-]/g, '_');
  const short = fit.length <= 63 ? fit : `${fit.slice(0, 50)}-${shortHash(text).slice(0, 12)}`;
  return short.replaceAll(/^[._-]+|[._-]+$/g, '');
}

/** What a dispatch is known by. */
export type Named = Pick<Dispatch, 'dispatchId' | 'dagId' | 'taskId' | 'mapIndex' | 'tryNumber'> & {
  run: Pick<Dispatch['run'], 'runKey'>;
};

/** The labels by which its objects are found, by us and by people. */
export function labelsOf(dispatch: Named, installation: string): { [label: string]: string } {
  return {
    [LABELS.managedBy]: MANAGED_BY,
    [LABELS.installation]: installation,
    [LABELS.dispatch]: uuidOf(dispatch.dispatchId),
    [LABELS.dag]: labelValue(dispatch.dagId),
    [LABELS.task]: labelValue(dispatch.taskId),
    [LABELS.run]: labelValue(dispatch.run.runKey),
    [LABELS.try]: String(dispatch.tryNumber),
    ...(dispatch.mapIndex >= 0 && { [LABELS.mapIndex]: String(dispatch.mapIndex) }),
  };
}

export const annotationsOf = (dispatch: Named, onFinish: FinishAction): { [annotation: string]: string } => ({
  [ANNOTATIONS.dispatchId]: dispatch.dispatchId,
  [ANNOTATIONS.onFinish]: onFinish,
});

/** Nobody else may write what we find our objects by. */
export const withoutOurs = (entries: { [name: string]: string } = {}): { [name: string]: string } =>
  Object.fromEntries(Object.entries(entries).filter(([name]) => !name.startsWith(OURS)));
