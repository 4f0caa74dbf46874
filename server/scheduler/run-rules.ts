/** Rules that follow from how runs and tasks end: failFast, maxConsecutiveFailedRuns, and `@continuous`. */
import type { Transaction } from 'kysely';
import { isFinishedRunState } from '#sdk/states.ts';
import type { Db } from '#db/client.ts';
import type { Engine } from '#db/engine/engine.ts';
import type { Listener } from '#db/listen.ts';
import type { ConsumedEvent } from '#db/queries/event-consumer.ts';
import {
  continueDag,
  pauseAfterFailures,
  restingContinuousDags,
  ruledDags,
  stillFailed,
  type FailedTask,
} from '#db/queries/run-rules.ts';
import type { DB } from '#db/types.ts';
import type { Logger } from '../log.ts';
import { startEventConsumer, type EventConsumer } from './consume-events.ts';

type RulesEngine = Pick<Engine, 'endRun' | 'versions'>;

export interface RunRulesDeps {
  db: Db;
  engine: RulesEngine;
  listener: Pick<Listener, 'on' | 'onResync'>;
  log: Logger;
}

export function startRunRules({ db, engine, listener, log }: RunRulesDeps): EventConsumer {
  const handle = async (trx: Transaction<DB>, events: readonly ConsumedEvent[]) => {
    await failFast(db, engine, failuresOf(events));
    const paused = await applyRunRules(trx, events);
    for (const dagId of paused) log.warn({ dagId }, 'a DAG was paused: too many of its runs failed in a row');
  };
  return startEventConsumer({ name: 'run rules', db, listener, log, handle });
}

/** Tasks that failed for good, by the events. What a person marked, or the end of its run took along, is no failure of a task. */
export const failuresOf = (events: readonly ConsumedEvent[]): FailedTask[] =>
  events.flatMap(({ runId, body }) =>
    runId === null || body.by !== undefined
      ? []
      : (body.t ?? []).flatMap(([taskIndex, mapIndex, state]) =>
          state === 'failed' ? [{ runId, taskIndex, mapIndex }] : [],
        ),
  );

/** Ends the runs of failFast DAGs. In transactions of the engine's own: it does nothing to a run that is over. */
export async function failFast(db: Db, engine: RulesEngine, failures: readonly FailedTask[]): Promise<void> {
  if (failures.length === 0) return;
  await engine.versions.loadRuns(failures.map((task) => task.runId));
  const wanted = failures.filter((task) => engine.versions.ofRun(task.runId)?.failFast);
  if (wanted.length === 0) return;
  for (const { runId, taskIndex, mapIndex } of await stillFailed(db, wanted)) {
    const taskId = engine.versions.ofRun(runId)?.tasks[taskIndex]?.taskId;
    await engine.endRun({
      runId,
      as: 'failed',
      rest: 'skipped',
      actor: 'scheduler',
      cause: 'fail_fast',
      provided: { failed: { taskIndex, mapIndex } },
      reason: `Task '${taskId}' failed, and failFast ends the run.`,
    });
  }
}

/** Pauses DAGs that failed too often and lets continuous ones go on; gives those that it paused. */
export async function applyRunRules(trx: Transaction<DB>, events: readonly ConsumedEvent[]): Promise<number[]> {
  const ends = events.filter(({ body }) => body.run !== undefined && isFinishedRunState(body.run));
  if (ends.length === 0) return [];
  const failed = new Set(ends.filter(({ body }) => body.run === 'failed').map((event) => event.dagId));
  const paused: number[] = [];
  for (const dag of await ruledDags(trx, [...new Set(ends.map((event) => event.dagId))])) {
    if (dag.maxFailedRuns > 0 && failed.has(dag.id) && (await pauseAfterFailures(trx, dag.id))) paused.push(dag.id);
    else if (dag.continuous) await continueDag(trx, dag.id);
  }
  return paused;
}

/** The net under the events. */
export async function reviewContinuousDags(db: Db): Promise<void> {
  for (const dagId of await restingContinuousDags(db)) await db.transaction().execute((trx) => continueDag(trx, dagId));
}
