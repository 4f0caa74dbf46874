import type pg from 'pg';
import type { ReportAnswer, ReportOutcome } from '../../sdk/protocol.ts';
import { loadRuns, orphans } from '#db/queries/run-records.ts';
import { replay, type Replay } from '#db/replay/event-replay.ts';
import { problemsOf, timeline } from '#db/replay/run-problems.ts';
import type { RunRecord } from '#db/replay/run-record.ts';

/** What a runner was told about one dispatch. */
export interface Answered {
  dispatchId: string;
  outcome: ReportOutcome;
  answer: ReportAnswer;
}

export interface CheckOptions {
  /** Default: all runs of the database. */
  runIds?: number[] | null;
  /** What runners were told: an acceptance is recorded under that very dispatch, once. */
  answers?: readonly Answered[];
  /** All runs have ended. */
  finished?: boolean;
}

/** The runs' events explain their rows, no promise is broken on the way, and what was accepted is what is recorded. Throws what is not so. */
export async function checkRuns({ pool }: { pool: pg.Pool }, options: CheckOptions = {}): Promise<RunRecord[]> {
  const { runIds = null, answers = [], finished = false } = options;
  const records = await loadRuns(pool, runIds);
  const replays = records.map(replay);
  const problems = records.flatMap((record, i) => {
    const found = [...problemsOf(record, replays[i]!), ...(finished ? unfinished(record) : [])];
    return found.length > 0 ? [`Run ${record.run.id}:\n  ${found.join('\n  ')}\n${timeline(record, replays[i]!)}`] : [];
  });
  problems.push(...tooManyRuns(records, replays), ...answerProblems(records, answers));
  if (runIds === null) problems.push(...(await orphans(pool)).map((place) => `${place} belongs to no run`));
  if (problems.length > 0) throw new Error(`The checker found:\n${problems.join('\n')}`);
  return records;
}

/** A sweep over time: ends before starts of the same microsecond. */
function tooManyRuns(records: RunRecord[], replays: Replay[]): string[] {
  const dags = new Map<number, { most: number; changes: { at: number; by: number }[] }>();
  records.forEach(({ run }, i) => {
    // A backfill counts its own
    if (run.kind === 'backfill') return;
    const dag = dags.get(run.dag_id) ?? { most: run.max_active_runs, changes: [] };
    dags.set(run.dag_id, dag);
    let running = false;
    for (const { at, state } of replays[i]!.runStates) {
      if ((state === 'running') === running) continue;
      running = state === 'running';
      dag.changes.push({ at, by: running ? 1 : -1 });
    }
  });
  return [...dags].flatMap(([dagId, { most, changes }]) => {
    let running = 0;
    let peak = 0;
    for (const { by } of changes.sort((a, b) => a.at - b.at || a.by - b.by)) peak = Math.max(peak, (running += by));
    return peak > most ? [`DAG ${dagId} had ${peak} running runs at once, the most is ${most}`] : [];
  });
}

/** Every acceptance stands in task_try under that very dispatch, and no dispatch was accepted twice. */
function answerProblems(records: RunRecord[], answers: readonly Answered[]): string[] {
  const ends = new Map(records.flatMap(({ tries }) => tries.map((one) => [one.dispatch_id, one] as const)));
  const known = new Set(records.map(({ run }) => String(run.id)));
  const accepted = answers.filter(
    (one) => one.answer === 'ACCEPTED' && one.outcome !== 'deferred' && known.has(one.dispatchId.split('.')[0] ?? ''),
  );
  const seen = new Set<string>();
  const twice = accepted.filter(({ dispatchId }) => seen.has(dispatchId) || !seen.add(dispatchId));
  const unfounded = accepted.filter(({ dispatchId, outcome }) => {
    const recorded = ends.get(dispatchId.split('.')[3] ?? '');
    // A hand-back leaves no try behind, but the one too many ends it
    if (outcome === 'rescheduled') return recorded !== undefined;
    if (outcome === 'released') return recorded !== undefined && recorded.cause !== 'dispatch_exhausted';
    return recorded?.outcome !== outcome;
  });
  return [
    ...twice.map((one) => `dispatch ${one.dispatchId} was accepted twice`),
    ...unfounded.map(
      (one) =>
        `${one.outcome} of dispatch ${one.dispatchId} was accepted; recorded under it: ${ends.get(one.dispatchId.split('.')[3] ?? '')?.outcome ?? 'nothing'}`,
    ),
  ];
}

const unfinished = ({ run, instances }: RunRecord): string[] =>
  run.ended === null
    ? [`has not ended (${run.state}): ${instances.map((row) => `${row.task_index} ${row.state}`).join(', ')}`]
    : [];
