/** Whether logs come to the log store, and can be read from there. */
import type pg from 'pg';
import { newestArchivedLogs, readLogStoreFacts, type LogStoreFacts } from '#db/queries/doctor/log-facts.ts';
import type { Finding } from '#schema/doctor.ts';
import type { LogReader } from '#schema/log-reader.ts';

/** Schedulers look every few seconds, after a failure every five minutes. */
const LATE_SECONDS = 900;
const MOST_CHARACTERS = 300;

export async function checkLogs(pool: pg.Pool, logs: Pick<LogReader, 'read'>): Promise<Finding[]> {
  const found = (await readLogStoreFacts(pool)).flatMap(judgeLogStore);
  for (const { store, runId, dispatchId } of await newestArchivedLogs(pool)) {
    const problem = await logs.read({ runId, uuid: dispatchId }, 0).then(
      () => null,
      (error: unknown) => (error as Error).message,
    );
    if (problem !== null)
      found.push({
        severity: 'error',
        what: `This server cannot read logs there: ${problem.slice(0, MOST_CHARACTERS)}`,
        where: `log store ${store}`,
        advice: 'Give servers the same MILLRACE_LOG_ variables as schedulers, and look at the store and its rights.',
      });
  }
  return found;
}

export function judgeLogStore(facts: LogStoreFacts): Finding[] {
  const { name, isCurrent, failingSince, lastError, waiting, lateSeconds } = facts;
  const where = `log store ${name}`;
  if (!isCurrent) return [];
  if (failingSince)
    return [
      {
        severity: 'error',
        what: `Since ${failingSince.toISOString()} it takes no logs; ${waiting} wait. ${(lastError ?? '').slice(0, MOST_CHARACTERS)}`.trim(),
        where,
        advice: 'Mend the store. Logs stay in the database, where they can be read, and move once it works.',
      },
    ];
  if (lateSeconds > LATE_SECONDS)
    return [
      {
        severity: 'warning',
        what: `${waiting} logs wait, the first for ${lateSeconds} s longer than it should.`,
        where,
        advice: 'Look at whether a scheduler runs, and for "a pass over the logs failed" in its log.',
      },
    ];
  return [];
}
