/** How a Pod's container ended, and why. Pure. */
import type { Json } from '#sdk/protocol.ts';
import { isInfraCause, type TaskCause } from '#sdk/states.ts';
import type { KubeContainerStatus, KubePod } from './kube-types.ts';
import { DELETED, findDisruption, wasDeleted, type Disruption } from './pod-disruption.ts';
import { memoryLimit, mib, podEvidence, shorten } from './pod-evidence.ts';
import { baseStatus, everStarted } from './pod-facts.ts';

export interface PodEnd {
  outcome: 'success' | 'failed';
  /** `ok` for a success. */
  cause: TaskCause;
  /** Null: the container never ended by itself. */
  exitCode: number | null;
  /** For people; empty for a success. */
  message: string;
  /** What the container left in its termination message, unchanged; null: nothing. */
  terminationMessage: string | null;
  evidence: { [name: string]: Json };
  /** The task's code never ran and it is none of its doing: another launch costs no try. */
  free: boolean;
  /** False: another try would end the same way. */
  retryable: boolean;
}

export interface EndOptions {
  /** Name of the container that is the task. */
  base: string;
  /** We asked for the deletion: it is no explanation then. */
  deletedByUs: boolean;
  /** Bytes, where somebody measured them. */
  peakMemory: number | null;
}

type Terminated = NonNullable<NonNullable<KubeContainerStatus['state']>['terminated']>;
interface Finding extends Disruption {
  retryable?: false;
}

const SIGKILL_CODE = 137;
const SUSPICIOUS_SHARE = 0.95;
const NOT_STARTED = new Set(['StartError', 'ContainerCannotRun', 'RunContainerError']);
const SIGNALS: { [code: number]: string } = { 134: 'SIGABRT', 137: 'SIGKILL', 139: 'SIGSEGV', 143: 'SIGTERM' };

function outOfMemory(pod: KubePod, { base, peakMemory }: EndOptions): string {
  const limit = memoryLimit(pod, base);
  const peak = peakMemory === null ? '' : ` (${mib(peakMemory)} seen)`;
  return limit === null
    ? `Killed: the node ran out of memory${peak}.`
    : `Needed more memory than its limit of ${mib(limit)}${peak}.`;
}

function explainExit(code: number, message: string | undefined): string {
  const what = SIGNALS[code] ? `Exit code ${code} (${SIGNALS[code]})` : `Exit code ${code}`;
  const said = message?.trim();
  return said ? `${what}: ${shorten(said)}` : `${what}.`;
}

/** Peaks are measured at times: one just below the limit is likely to have gone on to it. */
function isSuspicious(pod: KubePod, code: number, { base, peakMemory }: EndOptions): boolean {
  const limit = memoryLimit(pod, base);
  return code === SIGKILL_CODE && limit !== null && peakMemory !== null && peakMemory >= limit * SUSPICIOUS_SHARE;
}

/** Why a container that ran to its end did not succeed; null: it did. */
function explainTerminated(pod: KubePod, terminated: Terminated, options: EndOptions): Finding | null {
  const { exitCode, reason, message, finishedAt } = terminated;
  // Also with exit code 0: a shell that outlives its killed child would pass for a success.
  if (reason === 'OOMKilled') return { cause: 'oom_killed', message: outOfMemory(pod, options) };
  if (exitCode === 0) return null;
  if (NOT_STARTED.has(reason ?? ''))
    return {
      cause: 'config_error',
      message: `The container could not start: ${shorten(message ?? 'no reason given')}`,
    };
  const ended = finishedAt ? Date.parse(finishedAt) : null;
  const disruption = findDisruption(pod, ended);
  if (disruption) return disruption;
  if (reason === 'ContainerStatusUnknown')
    return { cause: 'node_lost', message: 'The node no longer knows what became of the container.' };
  if (!options.deletedByUs && wasDeleted(pod, ended)) return { cause: 'pod_deleted', message: DELETED };
  if (isSuspicious(pod, exitCode, options))
    return { cause: 'oom_suspected', message: `Killed, probably for want of memory: ${outOfMemory(pod, options)}` };
  return { cause: 'exit_code', message: explainExit(exitCode, message) };
}

/** A Pod that failed while the task's container had not run: an init container, the node, the cluster. */
function explainUnrun(pod: KubePod, { deletedByUs }: EndOptions): Finding {
  const disruption = findDisruption(pod, null);
  if (disruption) return disruption;
  const init = pod.status?.initContainerStatuses?.find(({ state }) => (state?.terminated?.exitCode ?? 0) !== 0);
  const terminated = init?.state?.terminated;
  if (init && terminated) {
    const why = terminated.reason === 'OOMKilled' ? 'was killed for want of memory' : 'failed';
    const said = explainExit(terminated.exitCode, terminated.message);
    return { cause: 'init_failed', message: `Init container ${init.name} ${why}. ${said}` };
  }
  if (!deletedByUs && pod.metadata?.deletionTimestamp) return { cause: 'pod_deleted', message: DELETED };
  const { reason, message } = pod.status ?? {};
  const said = [reason, message].filter(Boolean).join(': ');
  return {
    cause: 'start_failed',
    message: `The Pod failed before its container ran${said ? `: ${shorten(said)}` : '.'}`,
  };
}

function toEnd(pod: KubePod, finding: Finding | null, options: EndOptions): PodEnd {
  const status = baseStatus(pod, options.base);
  const terminated = status?.state?.terminated;
  const cause = finding?.cause ?? 'ok';
  return {
    outcome: finding ? 'failed' : 'success',
    cause,
    exitCode: terminated && !NOT_STARTED.has(terminated.reason ?? '') ? terminated.exitCode : null,
    message: finding?.message ?? '',
    terminationMessage: terminated?.message || null,
    evidence: podEvidence(pod, options.base, options.peakMemory),
    free: finding !== null && isInfraCause(cause) && !everStarted(status),
    retryable: finding?.retryable ?? true,
  };
}

/** Null while the task's container has not ended; what else is in the Pod does not count. */
export function endOf(pod: KubePod, options: EndOptions): PodEnd | null {
  const terminated = baseStatus(pod, options.base)?.state?.terminated;
  if (terminated) return toEnd(pod, explainTerminated(pod, terminated, options), options);
  if (pod.status?.phase === 'Succeeded') return toEnd(pod, null, options);
  if (pod.status?.phase === 'Failed') return toEnd(pod, explainUnrun(pod, options), options);
  return null;
}

/** Of a Pod that is no more: `pod` as it was seen last. Null when it was never seen. */
export function endOfGone(pod: KubePod | null, options: EndOptions): PodEnd {
  const seen = pod && endOf(pod, options);
  if (seen) return seen;
  const finding = (pod && findDisruption(pod, null)) ?? {
    cause: 'pod_deleted' as const,
    message: options.deletedByUs ? 'The Pod was deleted.' : DELETED,
  };
  if (pod) return toEnd(pod, finding, options);
  return {
    outcome: 'failed',
    ...finding,
    exitCode: null,
    terminationMessage: null,
    evidence: {},
    // Nobody can tell whether its code ran.
    free: false,
    retryable: true,
  };
}
