import type { Json, TaskReport } from '#sdk/protocol.ts';
import type { TaskCause } from '#sdk/states.ts';
import { isUnstorable, unstorable } from './large-results.ts';
import type { StopReason, TaskResult } from './messages.ts';

/** What is known when a dispatch is over. */
export type Ending =
  | {
      how: 'exited';
      code: number | null;
      signal: string | null;
      /** What the code of the task said; null when it said nothing. */
      result: TaskResult | null;
      /** Bytes; null when not measured. */
      peakMemory: number | null;
      /** The system or the interpreter ended it for want of memory. */
      outOfMemory: boolean;
      /** For the message of a failure. */
      lastLine: string | null;
    }
  | { how: 'not_started'; cause: TaskCause; message: string; retryable: boolean }
  /** It was running, and what ran it broke. */
  | { how: 'lost'; message: string }
  /** Taken back before any code of the task ran. */
  | { how: 'withdrawn' };

export interface Over {
  dispatchId: string;
  ending: Ending;
  stopReason: StopReason | null;
  /** Seconds. */
  executionTimeout: number | null;
  /** Bytes. */
  memoryLimit: number | null;
  outputLimit: number;
  resultLimit: number;
}

export type Verdict = Omit<TaskReport, 'dispatchId' | 'logBytes'>;

const MIB = 1024 * 1024;
/** Of the classes that an error belongs to. */
const MOST_CLASSES = 30;
const mib = (bytes: number) => `${Math.round(bytes / MIB)} MiB`;
const SIGNAL_NUMBERS: { [name: string]: number } = { SIGKILL: 9, SIGTERM: 15, SIGSEGV: 11, SIGABRT: 6, SIGINT: 2 };

/** How a dispatch ended, of all that is known about it. What stopped it comes before what it said. */
export function decideReport(over: Over): Verdict {
  const { ending, stopReason } = over;
  if (stopReason) return stopped(over, stopReason);
  if (ending.how === 'withdrawn') return { outcome: 'released', cause: 'interrupted', message: 'Not started.' };
  if (ending.how === 'not_started')
    return { outcome: 'failed', cause: ending.cause, message: ending.message, retryable: ending.retryable };
  if (ending.how === 'lost') return { outcome: 'failed', cause: 'interrupted', message: shorten(ending.message) };
  const { result } = ending;
  const evidence = evidenceOf(over);
  if (ending.outOfMemory || result?.cause === 'oom_killed')
    return {
      outcome: 'failed',
      cause: 'oom_killed',
      message: outOfMemoryMessage(over),
      exitCode: ending.code,
      evidence,
    };
  if (!result) return unexplained(ending, evidence);
  const problem = result.xcoms ? resultProblem(result.xcoms, over.resultLimit) : null;
  if (problem && result.outcome !== 'failed')
    return {
      outcome: 'failed',
      cause: 'result_invalid',
      message: problem,
      exitCode: ending.code,
      evidence,
      retryable: false,
    };
  return said(result, ending.code, evidence, problem === null);
}

const CAUSES = { success: 'ok', rescheduled: 'ok', skipped: 'skipped_by_task', failed: 'exception' } as const;

function said(
  result: TaskResult,
  exitCode: number | null,
  evidence: Verdict['evidence'],
  withResults: boolean,
): Verdict {
  const verdict: Verdict = {
    outcome: result.outcome,
    cause: result.cause ?? CAUSES[result.outcome],
  };
  if (result.outcome === 'rescheduled') verdict.afterSeconds = result.afterSeconds ?? 0;
  if (result.message !== undefined)
    verdict.message = shorten(result.name ? `${result.name}: ${result.message}` : result.message);
  if (exitCode !== null) verdict.exitCode = exitCode;
  const exceptions = result.exceptions?.slice(0, MOST_CLASSES).map((name) => shorten(name, 200)) ?? [];
  const thrown = result.name
    ? { exception: result.name, exceptions, stack: shorten(result.stack ?? '', 16_000) }
    : null;
  const facts = thrown || result.evidence ? { ...evidence, ...thrown, ...result.evidence } : evidence;
  if (facts) verdict.evidence = facts;
  if (result.xcoms && withResults && Object.keys(result.xcoms).length > 0) verdict.xcoms = result.xcoms;
  if (result.retryable === false && result.outcome === 'failed') verdict.retryable = false;
  return verdict;
}

function stopped(over: Over, reason: StopReason): Verdict {
  const { ending } = over;
  const begun = ending.how === 'exited' || ending.how === 'lost';
  const evidence = evidenceOf(over);
  const failed = (cause: TaskCause, message: string, retryable = true): Verdict => ({
    outcome: 'failed',
    cause,
    message,
    exitCode: ending.how === 'exited' ? ending.code : null,
    evidence,
    ...(!retryable && { retryable }),
  });
  switch (reason) {
    case 'cancelled':
      return failed('cancelled', 'Cancelled.', false);
    case 'fenced':
      return failed('cancelled', 'Stopped: another launch of this task has taken its place.', false);
    case 'timeout':
      return failed('timeout', `Ran longer than its time limit of ${over.executionTimeout ?? '?'} s.`);
    case 'output_limit':
      return failed('output_limit', `Wrote more than ${mib(over.outputLimit)} of output.`);
    case 'oom_killed':
      return failed('oom_killed', outOfMemoryMessage(over));
    case 'interrupted':
      return begun
        ? failed('interrupted', 'The worker was stopped while the task ran.')
        : { outcome: 'released', cause: 'interrupted', message: 'The worker was stopped before the task began.' };
  }
}

function outOfMemoryMessage({ memoryLimit, ending }: Over): string {
  const peak = ending.how === 'exited' && ending.peakMemory ? ` (${mib(ending.peakMemory)} seen)` : '';
  return memoryLimit === null
    ? `Killed: the machine ran out of memory${peak}.`
    : `Needed more memory than its limit of ${mib(memoryLimit)}${peak}.`;
}

function unexplained(ending: Ending & { how: 'exited' }, evidence: Verdict['evidence']): Verdict {
  const { code, signal, lastLine } = ending;
  const what = signal
    ? `Killed by ${signal}, not by Millrace and not for want of memory`
    : code === 0
      ? 'The process ended without giving a result'
      : `Exit code ${code}`;
  const exitCode = code ?? (signal && SIGNAL_NUMBERS[signal] ? 128 + SIGNAL_NUMBERS[signal] : null);
  const message = shorten(lastLine ? `${what}: ${lastLine}` : `${what}.`);
  return { outcome: 'failed', cause: 'exit_code', message, exitCode, evidence };
}

function evidenceOf({ ending, memoryLimit }: Over): { [key: string]: Json } | null {
  if (ending.how !== 'exited') return null;
  const evidence: { [key: string]: Json } = {};
  if (ending.signal) evidence['signal'] = ending.signal;
  if (ending.peakMemory) evidence['peakMemory'] = ending.peakMemory;
  if (memoryLimit !== null && ending.peakMemory) evidence['memoryLimit'] = memoryLimit;
  return Object.keys(evidence).length > 0 ? evidence : null;
}

const KEY_LIMIT = 250;

function resultProblem(xcoms: { [key: string]: Json }, limit: number): string | null {
  for (const [key, value] of Object.entries(xcoms)) {
    const what = key === 'return_value' ? 'The return value' : `The result '${shorten(key, 60)}'`;
    if (key.length > KEY_LIMIT) return `${what} has a key longer than ${KEY_LIMIT} characters.`;
    const text = JSON.stringify(value);
    const bytes = Buffer.byteLength(text);
    if (bytes > limit)
      return `${what} has ${Math.ceil(bytes / 1024)} KiB as JSON, more than the limit of ${Math.round(limit / 1024)} KiB. Write large data to a file or table and return where it is.`;
    if (isUnstorable(text)) return unstorable(key);
  }
  return null;
}

const shorten = (text: string, length = 500) => (text.length > length ? `${text.slice(0, length)}…` : text);
