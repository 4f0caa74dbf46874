/** How a runner calls a task of a bundled DAG file. Reads plain data only: the bundle carries its own copy of the SDK. */
import { join } from 'node:path';
import { ASSET_KEY, createEmitter } from './asset-events.ts';
import { connectionOf, variableOf } from './named-values.ts';
import type { Look } from './poke.ts';
import type { Dispatch, Json } from './protocol.ts';
import { findXCom } from './xcom-values.ts';
import type { Dag, TaskContext, TaskHandler } from './task-types.ts';

/** What the runner's process gives to a task. */
export interface TaskHost {
  /** Aborted on cancellation and at the time limit. */
  signal: AbortSignal;
  /** Called for each further result; `return_value` is what runTypeScriptTask resolves to. */
  xcomPush(key: string, value: Json): void;
  /** Where the bundle is unpacked. */
  bundleDir: string | null;
  env: { readonly [name: string]: string | undefined };
}

/** How a task ended when it threw. */
export interface TaskFailure {
  outcome: 'failed' | 'skipped';
  cause: 'exception' | 'skipped_by_task' | 'result_invalid' | 'value_missing';
  message: string;
  retryable: boolean;
}

const isDag = (value: unknown): value is Dag =>
  typeof value === 'object' && value !== null && 'millraceDag' in value && value.millraceDag === 1;

/** The DAGs that a module exports: by default, by name, or in a list. */
export function dagsOf(module: object): Dag[] {
  return [...new Set(Object.values(module).flat().filter(isDag))];
}

export function handlerOf(module: object, dagId: string, taskId: string): { dag: Dag; handler: TaskHandler } {
  const dags = dagsOf(module);
  const dag = dags.find((candidate) => candidate.spec.dagId === dagId);
  if (!dag) {
    const exported = dags.map((candidate) => `'${candidate.spec.dagId}'`).join(', ') || 'none';
    throw new Error(`The bundle exports no DAG '${dagId}' (it exports ${exported}). Deploy the DAG again.`);
  }
  const handler = Object.hasOwn(dag.handlers, taskId) ? dag.handlers[taskId] : undefined;
  if (!handler) throw new Error(`DAG '${dagId}' of the bundle has no function for task '${taskId}'. Deploy it again.`);
  return { dag, handler };
}

/** Runs the task's function and resolves to its return value as JSON. Throws what the function threw; see failureOf. */
export async function runTypeScriptTask(module: object, dispatch: Dispatch, host: TaskHost): Promise<Json> {
  return toJson(await callTask(module, dispatch, host), `task '${dispatch.taskId}' returned`);
}

/** Asks a sensor's function once. Throws what the function threw. */
export async function lookWithTypeScript(module: object, dispatch: Dispatch, host: TaskHost): Promise<Look> {
  const value = await callTask(module, dispatch, host);
  if (value === false || value === null || value === undefined) return { found: false };
  if (value === true) return { found: true, value: null };
  const found = typeof value === 'object' && 'millraceDone' in value ? (value as Done).value : value;
  return { found: true, value: toJson(found, `sensor '${dispatch.taskId}' found`) };
}

async function callTask(module: object, dispatch: Dispatch, host: TaskHost): Promise<unknown> {
  const { dag, handler } = handlerOf(module, dispatch.dagId, dispatch.taskId);
  const params = await parseParams(dag, dispatch);
  return handler({
    ...inputsOf(dispatch),
    params,
    conf: dispatch.run.conf,
    ctx: contextOf(dispatch, host),
  });
}

function inputsOf(dispatch: Dispatch): { [name: string]: Json } {
  const args: { [name: string]: Json } = { ...dispatch.mapItem };
  for (const [name, input] of Object.entries(dispatch.task.inputs)) {
    const value = findXCom(dispatch.xcoms, input.task, input.key);
    args[name] = value ?? (input.list ? [] : null);
  }
  return args;
}

async function parseParams(dag: Dag, dispatch: Dispatch): Promise<unknown> {
  if (!dag.parseParams) return dispatch.run.params;
  const result = await dag.parseParams(dispatch.run.params);
  if (!result.issues) return result.value;
  const lines = result.issues.map((issue) => `params.${(issue.path ?? []).map(String).join('.')}: ${issue.message}`);
  throw tagged(new Error(`The run's params do not fit the DAG. ${lines.join('; ')}`), 'fail');
}

function contextOf(dispatch: Dispatch, host: TaskHost): TaskContext {
  return {
    run: dispatch.run,
    ti: {
      dagId: dispatch.dagId,
      taskId: dispatch.taskId,
      mapIndex: dispatch.mapIndex,
      tryNumber: dispatch.tryNumber,
      maxTries: dispatch.maxTries,
      dispatchId: dispatch.dispatchId,
      xcomPush: (key, value) => host.xcomPush(key, toJson(value, `task '${dispatch.taskId}' pushed as '${key}'`)),
    },
    log: {
      info: (...parts) => console.log(...parts),
      warn: (...parts) => console.warn(...parts),
      error: (...parts) => console.error(...parts),
    },
    signal: host.signal,
    env: host.env,
    variable: (key) => variableOf(dispatch, key),
    connection: (id) => connectionOf(dispatch, id),
    assets: { emit: createEmitter(dispatch, (events) => host.xcomPush(ASSET_KEY, events)) },
    file(name) {
      if (host.bundleDir !== null) return join(host.bundleDir, name);
      throw new Error(`DAG '${dispatch.dagId}' carries no files. Name '${name}' in its 'files'.`);
    },
  };
}

function toJson(value: unknown, what: string): Json {
  if (value === undefined || value === null) return null;
  if (typeof value === 'string' || typeof value === 'boolean') return value;
  try {
    const text = JSON.stringify(value);
    return text === undefined ? null : (JSON.parse(text) as Json);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    throw tagged(
      new Error(`What ${what} is not JSON: ${reason}. Return plain objects, lists, strings and numbers.`, { cause }),
      'result_invalid',
    );
  }
}

type Tag = 'skip' | 'fail' | 'result_invalid';
/** A plain property, since the class of an error differs between copies of the SDK. */
const tagged = (error: Error, tag: Tag): Error => Object.assign(error, { millrace: tag });

/** Ends the task as skipped. */
export function skipTask(reason: string): never {
  throw tagged(new Error(reason), 'skip');
}

/** Ends the task as failed, whatever retries it has left. */
export function failTask(reason: string): never {
  throw tagged(new Error(reason), 'fail');
}

/** A plain property, since the class differs between copies of the SDK. */
export interface Done<T = unknown> {
  readonly millraceDone: 1;
  readonly value: T;
}

/** A sensor has found what it looks for; `value` is its result. */
export const done = <T = null>(value: T = null as T): Done<T> => ({ millraceDone: 1, value });

/** Reads what a task threw. */
export function failureOf(error: unknown): TaskFailure {
  const message = error instanceof Error ? error.message || error.name : String(error);
  const tag = error instanceof Error && 'millrace' in error ? error.millrace : undefined;
  if (tag === 'skip') return { outcome: 'skipped', cause: 'skipped_by_task', message, retryable: false };
  if (tag === 'result_invalid') return { outcome: 'failed', cause: 'result_invalid', message, retryable: false };
  if (tag === 'value_missing') return { outcome: 'failed', cause: 'value_missing', message, retryable: false };
  return { outcome: 'failed', cause: 'exception', message, retryable: tag !== 'fail' };
}
