/** Whether the database is set up to keep what it is told. */
import type { BloatedTable, DatabaseFacts, LongTransaction } from '#db/queries/doctor/database-facts.ts';
import type { ProcessFacts } from '#db/queries/doctor/process-facts.ts';
import type { Finding } from '#schema/doctor.ts';

const WHERE = 'database';

/** Each turns a promise of the database into a hope. */
const SETTINGS: { [name: string]: { bad: string; severity: Finding['severity']; what: string } } = {
  fsync: {
    bad: 'off',
    severity: 'error',
    what: 'what it acknowledges can be lost, and its files broken, when the machine fails',
  },
  full_page_writes: { bad: 'off', severity: 'error', what: 'its files can be broken when the machine fails' },
  synchronous_commit: {
    bad: 'off',
    severity: 'warning',
    what: 'the last moments before a failure are lost, although they were acknowledged',
  },
  autovacuum: { bad: 'off', severity: 'error', what: 'dead rows are never cleaned up, and everything becomes slower' },
  track_counts: { bad: 'off', severity: 'error', what: 'autovacuum does nothing without it' },
};

export function judgeDatabase(facts: DatabaseFacts): Finding[] {
  const settings = Object.entries(SETTINGS).flatMap(([name, { bad, severity, what }]) =>
    facts.settings[name] === bad
      ? [{ severity, what: `${name} is ${bad}: ${what}.`, where: WHERE, advice: `Set ${name} = on.` }]
      : [],
  );
  const replica: Finding[] = facts.isReplica
    ? [
        {
          severity: 'error',
          what: 'It is a standby and takes no writes.',
          where: WHERE,
          advice: 'Point DATABASE_URL at the primary.',
        },
      ]
    : [];
  return [...settings, ...replica];
}

const NEARLY = 0.8;

/** What all processes may open together must fit; what is open now shows those of others too. */
export function judgeConnections(facts: DatabaseFacts, processes: readonly ProcessFacts[]): Finding[] {
  const { mostConnections, openConnections } = facts;
  const wanted = processes.reduce((sum, { connections }) => sum + (connections ?? 0), 0);
  const where = `${WHERE}, max_connections`;
  if (wanted > mostConnections)
    return [
      {
        severity: 'error',
        what: `Its processes may open ${wanted} connections together; it has ${mostConnections}.`,
        where,
        advice:
          'Raise max_connections, lower MILLRACE_DATABASE_CONNECTIONS, or put a pooler in session mode before it.',
      },
    ];
  if (openConnections > NEARLY * mostConnections)
    return [
      {
        severity: 'warning',
        what: `${openConnections} of ${mostConnections} connections are open.`,
        where,
        advice: 'Raise max_connections, or find out who opens so many: pg_stat_activity names them.',
      },
    ];
  return [];
}

export const judgeTransactions = (found: readonly LongTransaction[]): Finding[] =>
  found.map(({ pid, application, state, seconds }) => ({
    severity: seconds > 3600 ? 'error' : 'warning',
    what: `A transaction has been open for ${seconds} s (${state}). Events behind it are not pushed, and dead rows not cleaned up.`,
    where: `${application}, pid ${pid}`,
    advice: `End it: select pg_terminate_backend(${pid}).`,
  }));

export const judgeBloat = (found: readonly BloatedTable[]): Finding[] =>
  found.map(({ name, dead, live }) => ({
    severity: 'warning',
    what: `It has ${dead} dead rows and ${live} living ones.`,
    where: `table ${name}`,
    advice: `Run "vacuum (analyze) ${name}", and look for what keeps autovacuum from it: open transactions, replication slots.`,
  }));

export function judgePartitions({ now, next }: { now: string[]; next: string[] }): Finding[] {
  const advice = 'Start a scheduler, which makes them, or run "millrace migrate".';
  const listed = (names: string[]) => names.slice(0, 3).join(', ') + (names.length > 3 ? ', …' : '');
  return [
    ...(now.length > 0
      ? [
          {
            severity: 'error' as const,
            what: `Runs of today have no place: ${listed(now)} missing.`,
            where: 'partitions',
            advice,
          },
        ]
      : []),
    ...(next.length > 0
      ? [
          {
            severity: 'warning' as const,
            what: `Those of the next weeks are not there yet: ${listed(next)}.`,
            where: 'partitions',
            advice,
          },
        ]
      : []),
  ];
}
