import type { Dispatch, Json } from '#sdk/protocol.ts';
import type { SensorTaskSpec } from '#sdk/dag-spec.ts';
import type { Look } from '#sdk/poke.ts';
import { failureOf, lookWithTypeScript, runTypeScriptTask, type TaskHost } from '#sdk/run-task.ts';
import type { TaskResult } from './messages.ts';
import { repeatLook } from './repeat-look.ts';

export type Results = { [key: string]: Json };

/** Runs the task's function; what it returns or throws becomes its result. */
export async function resultOf(
  module: object,
  dispatch: Dispatch,
  host: Omit<TaskHost, 'xcomPush'>,
): Promise<TaskResult> {
  const xcoms: Results = {};
  const xcomPush = (key: string, value: Json) => void (xcoms[key] = value);
  if (dispatch.task.kind === 'sensor') return lookUntilFound(module, dispatch, { ...host, xcomPush }, xcoms);
  try {
    const value = await runTypeScriptTask(module, dispatch, { ...host, xcomPush });
    if (value !== null) xcoms['return_value'] = value;
    return { outcome: 'success', ...(Object.keys(xcoms).length > 0 && { xcoms }) };
  } catch (error) {
    return failedResult(error, xcoms);
  }
}

export function failedResult(error: unknown, xcoms: Results): TaskResult {
  const failure = failureOf(error);
  const result: TaskResult = { ...failure, ...(Object.keys(xcoms).length > 0 && { xcoms }) };
  if (failure.outcome === 'failed' && error instanceof Error && failure.cause === 'exception') {
    result.name = error.name;
    result.exceptions = classesOf(error);
    result.stack = ownStack(error);
  }
  return result;
}

/** Asks a sensor's function until it finds what it looks for, or says when to ask again. */
async function lookUntilFound(module: object, dispatch: Dispatch, host: TaskHost, xcoms: Results): Promise<TaskResult> {
  const rules = dispatch.task as SensorTaskSpec;
  let failure: TaskResult | null = null;
  const look = async (): Promise<Look> => {
    try {
      return await lookWithTypeScript(module, dispatch, host);
    } catch (error) {
      failure = failedResult(error, xcoms);
      // It has said by itself how it ends
      if (failure.outcome === 'skipped' || failure.retryable === false) throw error;
      console.error(failure.stack ?? failure.message);
      return { failed: failure.message ?? 'The look failed.' };
    }
  };
  const waiting = dispatch.waiting ?? { elapsed: 0, pokes: 0 };
  try {
    const end = await repeatLook({ rules, waiting, seed: dispatch.dispatchId, signal: host.signal, look });
    if (end.outcome === 'failed' && end.cause === 'poke_failed' && failure) return failure;
    if (end.outcome === 'success' && end.xcoms) Object.assign(xcoms, end.xcoms);
    return { ...end, ...(Object.keys(xcoms).length > 0 && { xcoms }) };
  } catch (error) {
    return failedResult(error, xcoms);
  }
}

/** Its name, its class, and what that inherits from. */
function classesOf(error: Error): string[] {
  const names = [error.name];
  for (
    let at: unknown = Object.getPrototypeOf(error);
    at instanceof Error || at === Error.prototype;
    at = Object.getPrototypeOf(at)
  )
    if (typeof at.constructor?.name === 'string') names.push(at.constructor.name);
  return [...new Set(names.filter(Boolean))];
}

const MAX_CAUSES = 5;

/** The stack without the frames of this program, and those of the causes. */
function ownStack(error: Error): string {
  const stacks: string[] = [];
  for (let at: unknown = error; at instanceof Error && stacks.length < MAX_CAUSES; at = at.cause) {
    const lines = (at.stack ?? String(at)).split('\n');
    const end = lines.findIndex((line) => /^ +at (async )?(runTypeScriptTask|lookWithTypeScript|callTask) /.test(line));
    stacks.push(lines.slice(0, end < 0 ? undefined : end).join('\n'));
  }
  return stacks.join('\nCaused by: ');
}
