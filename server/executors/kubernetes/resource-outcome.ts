/** What an object that a task waits for has come to. Pure. */
import type { ResourceCondition, ResourceFields } from '#sdk/kubernetes-spec.ts';
import type { Json } from '#sdk/protocol.ts';
import { parseResourcePath, valuesAt } from '#sdk/resource-path.ts';
import type { KubeObject } from './kube-types.ts';
import { presetOf } from './resource-presets.ts';

export type ResourceOutcome =
  /** `started`: its controller has taken notice of it. `note`: what it says of itself, for people. */
  | { state: 'running'; started: boolean; note: string | null }
  | { state: 'succeeded'; result: Json }
  | { state: 'failed'; message: string };

type Awaited = Pick<ResourceFields, 'success' | 'failure' | 'result'>;

/** Failure is looked at first: of an object that says both, it is the news. */
export function resourceOutcome(object: KubeObject, { success, failure, result }: Awaited): ResourceOutcome {
  const { apiVersion = '', kind = '' } = object;
  const preset = presetOf(apiVersion, kind);
  const json = object as unknown as Json;
  const failed = (failure.length > 0 ? failure : preset.failure).find((condition) => holds(json, condition));
  if (failed) return { state: 'failed', message: failureMessage(json, kind, failed) };
  if ((success.length > 0 ? success : preset.success).some((condition) => holds(json, condition)))
    return { state: 'succeeded', result: result === null ? null : resultOf(json, result) };
  const { status } = object;
  const started = typeof status === 'object' && status !== null && Object.keys(status).length > 0;
  return { state: 'running', started, note: firstText(json, STATES) };
}

/** Several values at the path: one that is as wanted is enough. */
function holds(object: Json, condition: ResourceCondition): boolean {
  const values = find(object, condition.path);
  if ('exists' in condition) return values.length > 0 === condition.exists;
  const wanted = 'in' in condition ? condition.in : [condition.equals];
  return values.some((value) => wanted.some((each) => JSON.stringify(each) === JSON.stringify(value)));
}

/** Paths were checked when the DAG was deployed. */
function find(object: Json, path: string): Json[] {
  const parsed = parseResourcePath(path);
  return typeof parsed === 'string' ? [] : valuesAt(object, parsed);
}

/** Nothing: null. One value, or the list of several. */
function resultOf(object: Json, path: string): Json {
  const values = find(object, path);
  return values.length > 1 ? values : (values[0] ?? null);
}

const STATES = [
  '$.status.applicationState.state',
  '$.status.jobStatus.state',
  '$.status.state.phase',
  '$.status.phase',
  '$.status.state',
  '$.status.jobStatus',
  '$.status.conditions[?(@.status=="True")].type',
];
/** Where controllers write why. */
const REASONS = [
  '$.status.conditions[?(@.type=="Failed" && @.status=="True")].message',
  '$.status.conditions[?(@.type=="Succeeded" && @.status=="False")].message',
  '$.status.conditions[?(@.type=="Failed" && @.status=="True")].reason',
  '$.status.applicationState.errorMessage',
  '$.status.error',
  '$.status.message',
  '$.status.state.message',
  '$.status.reason',
  '$.status.conditions[?(@.status=="False")].message',
];
const MOST = 1000;

/** Of several the last: the newest condition comes last. */
function firstText(object: Json, paths: readonly string[]): string | null {
  for (const path of paths) {
    const text = find(object, path)
      .filter((value) => typeof value === 'string' && value !== '')
      .at(-1);
    if (typeof text === 'string') return text.length > MOST ? `${text.slice(0, MOST)}…` : text;
  }
  return null;
}

function failureMessage(object: Json, kind: string, condition: ResourceCondition): string {
  const reason = firstText(object, REASONS);
  if (reason !== null) return `The ${kind} has failed: ${reason}`;
  if ('exists' in condition)
    return `The ${kind} has failed: ${condition.path} is ${condition.exists ? '' : 'not '}there.`;
  return `The ${kind} has failed: ${condition.path} is ${JSON.stringify(find(object, condition.path)[0] ?? null)}.`;
}
