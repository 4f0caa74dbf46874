/** Whether the events of runs, replayed from nothing, give the rows that are there. */
import { setImmediate } from 'node:timers/promises';
import type pg from 'pg';
import { newestRuns, readRunSize } from '#db/queries/doctor/work-facts.ts';
import { loadRuns } from '#db/queries/run-records.ts';
import { problemsOf, timeline } from '#db/replay/run-problems.ts';
import { replay } from '#db/replay/event-replay.ts';
import type { RunRecord } from '#db/replay/run-record.ts';
import type { Finding } from '#schema/doctor.ts';

/** By the way: of so many of the newest runs, those with so few events. A replay costs events times instances. */
const NEWEST = 20;
const MOST_EVENTS = 1_000;
/** Of one that somebody asked for: some seconds of this process. */
const MOST_WORK = 30_000_000;

export async function checkNewestRuns(pool: pg.Pool): Promise<Finding[]> {
  const found: Finding[] = [];
  for (const id of await newestRuns(pool, NEWEST, MOST_EVENTS)) {
    found.push(...(await loadRuns(pool, [id])).flatMap(judgeRun));
    // Others want to be answered too
    await setImmediate();
  }
  return found;
}

export async function checkRun(pool: pg.Pool, runId: number): Promise<Finding[]> {
  const where = `run ${runId}`;
  const size = await readRunSize(pool, runId);
  if (!size) return [{ severity: 'error', what: 'There is no such run.', where, advice: 'See "millrace runs".' }];
  const { events, instances } = size;
  if (events * instances > MOST_WORK)
    return [
      {
        severity: 'info',
        what: `Its ${events} events of ${instances} task instances are too many to be replayed by a server.`,
        where,
        advice: '',
      },
    ];
  const records = await loadRuns(pool, [runId]);
  const found = records.flatMap(judgeRun);
  if (found.length > 0) return found;
  return [
    { severity: 'info', what: `Its ${events} events explain its ${instances} task instances.`, where, advice: '' },
  ];
}

const MOST_PROBLEMS = 5;

export function judgeRun(record: RunRecord): Finding[] {
  const replayed = replay(record);
  const problems = problemsOf(record, replayed);
  if (problems.length === 0) return [];
  return problems.slice(0, MOST_PROBLEMS).map((what, i) => ({
    severity: 'error',
    what: i === 0 ? `${what}\n${timeline(record, replayed)}` : what,
    where: `run ${record.run.id}`,
    advice:
      'The service broke a promise, or somebody changed rows by hand. Keep this output and the run’s events, and report it.',
  }));
}
