/** A sensor that waits without a worker: what it looks for is made ready once, then it is looked for when due. */
import type { SensorTaskSpec } from '#sdk/dag-spec.ts';
import type { Dispatch, Json } from '#sdk/protocol.ts';
import { afterLook, type Look, type LookVerdict, type PokeRules } from '#sdk/poke.ts';
import { assetKeyOf } from '#db/queries/asset-events.ts';
import { dateKeyOf, type DueWait } from '#db/queries/trigger-waits.ts';
import { lookOutside } from '../operators/look.ts';
import { createRender } from '../operators/prepare-launch.ts';
import { instantOf, renderTarget, timeOf } from '../operators/sensor.ts';
import { lookForAsset } from './look-for-asset.ts';
import { lookForTask, missingTarget, type TaskLook } from './look-for-task.ts';
import { openSought, sealSought } from './sealed-spec.ts';
import { failed, instanceName, type Settle, type SettleDeps, type Settled } from './triggerer-deps.ts';

export const settleSensor: Settle<SensorTaskSpec> = async ({ db, vault }, dispatch) => {
  const { task } = dispatch;
  const target = renderTarget(task, createRender(dispatch));
  const time = timeOf(target, dispatch);
  if (time) target.time = time.toISOString();
  let watchKey: string | null = null;
  if (target.task) {
    const at = logicalDateOf(target.task, dispatch);
    if (!at) return failed('not_found', NO_DATE);
    target.task.at = at.toISOString();
    watchKey = dateKeyOf(target.task.dagId, at);
    const missing = target.task.checkExistence ? await missingTarget(db, target.task) : null;
    if (missing) return endOf(task, { failed: missing }) ?? failed('not_found', missing);
  }
  if (target.asset) {
    const { since, name } = target.asset;
    const from = since === null ? new Date(dispatch.run.startedAt ?? Date.now()) : instantOf(since, 'for.asset.since');
    target.asset.since = from.toISOString();
    watchKey = assetKeyOf(name);
  }
  const left = Math.max(0, task.timeout - (dispatch.waiting?.elapsed ?? 0));
  const limit = Math.min(left, task.executionTimeout ?? Infinity);
  const { pokeInterval, pokeBackoff, maxWait, timeout, softFail, pokeError } = task;
  const rules: PokeRules = { pokeInterval, pokeBackoff, maxWait, timeout, softFail, pokeError };
  return {
    outcome: 'deferred',
    cause: 'ok',
    defer: {
      kind: 'sensor',
      spec: {
        sought: sealSought({ target, connections: dispatch.connections }, dispatch, vault),
        rules: rules as unknown as Json,
        tryEndsFirst: limit < left,
      },
      dueAt: time?.toISOString() ?? null,
      timeoutSeconds: limit,
      watchKey,
    },
  };
};

const NO_DATE =
  'This run has no logical date, so there is no run of the same date to wait for. Say which one with "at", or trigger with a date.';

function logicalDateOf(target: { at: string | null; delta: number }, { run }: Dispatch): Date | null {
  if (target.at !== null) return instantOf(target.at, 'for.task.at');
  return run.logicalDate === null ? null : new Date(Date.parse(run.logicalDate) - target.delta * 1000);
}

/** Soft failures are skips. */
const endOf = (task: SensorTaskSpec, look: Look): Settled | null => {
  const verdict = afterLook(task, look, { elapsed: 0, pokes: 0 }, '');
  return verdict.outcome === 'skipped' ? reportOfEnd(verdict) : null;
};

export type SensorStep = { wait: number } | { report: Settled };

/** One look that is due, and what follows. */
export async function lookAgain(deps: SettleDeps, wait: DueWait, signal: AbortSignal): Promise<SensorStep> {
  const rules = wait.spec['rules'] as unknown as PokeRules;
  const { target, connections } = openSought(wait.spec['sought'], deps.vault);
  const isOver = wait.secondsLeft !== null && wait.secondsLeft <= 0;
  const look = await lookFor(deps, { target, connections, now: wait.now }, signal);
  if ('ends' in look) return { report: look.ends(rules) };
  const waited = { elapsed: isOver ? Infinity : rules.timeout - (wait.secondsLeft ?? Infinity), pokes: wait.polls };
  const verdict = afterLook(rules, look, waited, instanceName(wait));
  if (verdict.outcome === 'wait') return { wait: target.time ? secondsUntil(target.time, wait.now) : verdict.seconds };
  if (verdict.outcome !== 'success' && verdict.cause === 'wait_timeout' && wait.spec['tryEndsFirst'] === true)
    return { report: { outcome: 'failed', cause: 'timeout', message: 'Waited longer than its time limit.' } };
  return { report: reportOfEnd(verdict) };
}

const secondsUntil = (time: string, now: Date): number => Math.max(0.001, (Date.parse(time) - now.getTime()) / 1000);

interface LookInput {
  target: ReturnType<typeof openSought>['target'];
  connections: ReturnType<typeof openSought>['connections'];
  now: Date;
}

async function lookFor(
  deps: SettleDeps,
  { target, connections, now }: LookInput,
  signal: AbortSignal,
): Promise<TaskLook> {
  if (target.time !== undefined)
    return Date.parse(target.time) <= now.getTime() ? { found: true, value: target.time } : { found: false };
  if (target.asset) return lookForAsset(deps.db, target.asset);
  if (!target.task) return lookOutside(target, connections, signal);
  return lookForTask(deps.db, target.task);
}

function reportOfEnd(verdict: Exclude<LookVerdict, { outcome: 'wait' }>): Settled {
  if (verdict.outcome === 'success')
    return {
      outcome: 'success',
      cause: 'ok',
      ...(verdict.value !== null && { xcoms: { return_value: verdict.value } }),
    };
  const { outcome, cause, message, retryable } = verdict;
  return { outcome, cause, message, retryable };
}
