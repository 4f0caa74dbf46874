/** A warm Node process that runs `http` and `sql` tasks, one after another: no code of a DAG, no credentials but those of its task. */
import { findXCom } from '#sdk/xcom-values.ts';
import { createMask } from './mask.ts';
import type { NodeWork, TaskResult } from './messages.ts';
import type { ChildChannel } from './node-child-channel.ts';
import { startNodeChild } from './node-child-main.ts';
import { failedResult, type Results } from './node-child-result.ts';
import { OperatorFailure, type OperatorHost } from './operator-host.ts';
import { runHttp } from './run-http.ts';
import { runSql } from './run-sql.ts';

startNodeChild((_message, channel) => Promise.resolve((work, signal) => operate(work, signal, channel)));

async function operate(work: NodeWork, signal: AbortSignal, channel: ChildChannel): Promise<TaskResult> {
  // Whoever is told to stop waits for its clean end: without a listener the process would just exit
  signal.addEventListener('abort', () => undefined);
  try {
    const xcoms = await resultsOf(work, hostOf(work, signal, channel));
    return { outcome: 'success', ...(Object.keys(xcoms).length > 0 && { xcoms }) };
  } catch (error) {
    if (!(error instanceof OperatorFailure)) return failedResult(error, {});
    const { taskCause: cause, message, retryable, evidence } = error;
    return { outcome: 'failed', cause, message, retryable, ...(Object.keys(evidence).length > 0 && { evidence }) };
  }
}

async function resultsOf({ operator }: NodeWork, host: OperatorHost): Promise<Results> {
  if (!operator) throw new Error('There is no operator in this work.');
  if (operator.kind === 'sql') return runSql(operator, host);
  const value = await runHttp(operator, host);
  return value === null ? {} : { return_value: value };
}

function hostOf({ dispatch, bundleDir }: NodeWork, signal: AbortSignal, channel: ChildChannel): OperatorHost {
  return {
    signal,
    mask: createMask(dispatch.secrets),
    bundleDir: bundleDir ?? null,
    say: (line) => channel.print(dispatch.dispatchId, 'o', `${line}\n`),
    input(name) {
      const input = dispatch.task.inputs[name];
      return input ? (findXCom(dispatch.xcoms, input.task, input.key) ?? null) : null;
    },
  };
}
