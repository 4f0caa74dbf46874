/** From the line to an object on the cluster. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { LaunchPhase } from '#db/queries/launches.ts';
import type { CreateAnswer } from '../kubernetes/create-answer.ts';
import type { Entry, LaunchContext } from './launch-context.ts';
import { LaunchRefused, type Target } from './target.ts';
import { findUntilTold } from './until-told.ts';

const FIRST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 120_000;
/** When it is not known what became of an attempt, the cluster is asked, and again. */
const UNKNOWN_PAUSE_MS = 1_000;

const MADE: ReadonlySet<LaunchPhase> = new Set(['created', 'scheduled', 'started']);

/** Resolves when the object is there. @throws LaunchRefused when the cluster will never take it. */
export async function createObject(
  ctx: LaunchContext,
  entry: Entry,
  target: Target,
  signal: AbortSignal,
): Promise<void> {
  if (MADE.has(entry.launch.phase) && !entry.object.value) {
    // It has been there. Making it again could run its code twice
    await adopt(ctx, entry, target, signal);
    if (!entry.object.value) entry.gone = true;
  }
  while (!entry.object.value && !entry.gone) {
    if (entry.launch.phase === 'waiting') {
      await ctx.line.wait(entry, target, signal);
      Object.assign(entry.launch, { phase: 'creating', reason: null, message: null, notBefore: null });
      Object.assign(entry.launch, {
        kind: target.kind,
        api: target.api,
        namespace: target.namespace,
        name: target.name,
        onFinish: target.onFinish,
      });
    }
    await tryOnce(ctx, entry, target, signal);
  }
}

async function tryOnce(ctx: LaunchContext, entry: Entry, target: Target, signal: AbortSignal): Promise<void> {
  const answer = await target.create(signal);
  ctx.line.tried(target.namespace, outcomeOf(answer));
  switch (answer.kind) {
    case 'created':
      ctx.metrics.took('create', entry.launch.claimedAt, ctx.now());
      ctx.metrics.took('quota', entry.quotaSince, ctx.now());
      if (!entry.object.value) entry.object.set({ is: answer.object });
      return;
    case 'exists':
      return adopt(ctx, entry, target, signal);
    case 'rejected':
      return refuse(entry, answer.message);
    case 'wait':
      return goBack(ctx, entry, answer);
    case 'unknown':
      ctx.log.warn(
        { cluster: ctx.cluster, name: target.name, reason: answer.message },
        'whether an object was created is not known',
      );
      await sleep(UNKNOWN_PAUSE_MS, undefined, { signal });
      return adopt(ctx, entry, target, signal);
  }
}

const outcomeOf = (answer: CreateAnswer<unknown>): 'created' | 'quota' | 'other' => {
  if (answer.kind === 'created') return 'created';
  return answer.kind === 'wait' && answer.reason === 'quota' ? 'quota' : 'other';
};

/** Nothing of it is there, so nothing is to be removed: least of all what bears its name. */
function refuse(entry: Entry, message: string): never {
  entry.launch.phase = 'waiting';
  throw new LaunchRefused('rejected_by_cluster', message);
}

/** It may be ours, from an attempt whose answer was lost: its name comes from the dispatch alone. None: the next attempt makes it. */
async function adopt(ctx: LaunchContext, entry: Entry, target: Target, signal: AbortSignal): Promise<void> {
  const found = await findUntilTold(ctx, entry, target, signal);
  if (found === 'foreign') refuse(entry, `Another object of the name ${target.name} is there, and is not ours.`);
  if (found !== 'none' && !entry.object.value) entry.object.set({ is: found.object });
}

/** Back to the line: nothing was created, and later it may be. Costs no try. */
async function goBack(
  ctx: LaunchContext,
  entry: Entry,
  { reason, message, retryAfterSeconds }: Extract<CreateAnswer<unknown>, { kind: 'wait' }>,
): Promise<void> {
  const { launch } = entry;
  const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(launch.attempts, 10));
  if (reason === 'quota') entry.quotaSince ??= ctx.now();
  launch.phase = 'waiting';
  launch.reason = reason;
  launch.message = message;
  launch.attempts += 1;
  launch.notBefore = new Date(ctx.now().getTime() + (retryAfterSeconds === null ? pause : retryAfterSeconds * 1000));
  // The next look at the line, also by others, goes by what is stored
  await ctx.save(entry);
}
