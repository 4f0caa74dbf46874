/** What an operator gets of the process that it runs in, and how it says that it failed. */
import type { Json } from '#sdk/protocol.ts';
import type { TaskCause } from '#sdk/states.ts';
import type { Mask } from './mask.ts';

export interface OperatorHost {
  /** Aborted on cancellation and at the time limit. */
  signal: AbortSignal;
  /** Writes a line of the task's log. */
  say(line: string): void;
  /** Of the task's secrets, for texts that are cut: log and messages are masked later, when half of a secret is found no more. */
  mask: Mask;
  /** Where the DAG's bundle is unpacked; null: it has none. */
  bundleDir: string | null;
  /** The value of one of the task's inputs. */
  input(name: string): Json;
}

export type OperatorCause = Extract<
  TaskCause,
  'request_failed' | 'unexpected_answer' | 'database_error' | 'database_unreachable' | 'result_invalid' | 'exception'
>;

/** A failure that the operator foresees. */
export class OperatorFailure extends Error {
  readonly taskCause: OperatorCause;
  readonly retryable: boolean;
  readonly evidence: { [key: string]: Json };
  constructor(
    taskCause: OperatorCause,
    message: string,
    { retryable = true, evidence = {}, cause }: FailureOptions = {},
  ) {
    super(message, { cause });
    this.name = 'OperatorFailure';
    this.taskCause = taskCause;
    this.retryable = retryable;
    this.evidence = evidence;
  }
}
interface FailureOptions {
  retryable?: boolean;
  evidence?: { [key: string]: Json };
  cause?: unknown;
}

/** Most bytes of a result, as JSON. */
export const MAX_RESULT_BYTES = 64 * 2 ** 20;
