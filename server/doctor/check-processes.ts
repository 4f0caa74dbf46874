/** Whether all processes are there, of fitting releases, and agree on the time. */
import { isTooFarApart, minorsApart } from '#db/releases.ts';
import type { ProcessFacts } from '#db/queries/doctor/process-facts.ts';
import type { HeldLeases } from '#db/queries/lease-breaker.ts';
import type { Finding } from '#schema/doctor.ts';

/** Three beats of a process. */
const SILENT_SECONDS = 15;
/** Nothing depends on it, but what people read does; more than that and nobody believes the log. */
const CLOCK_MS = 2_000;
const FAR_CLOCK_MS = 600_000;

const isHeard = ({ silentSeconds }: ProcessFacts): boolean => silentSeconds <= SILENT_SECONDS;

export function judgeRoles(processes: readonly ProcessFacts[]): Finding[] {
  const missing = (role: ProcessFacts['role'], what: string): Finding[] =>
    processes.some((one) => one.role === role && isHeard(one))
      ? []
      : [
          {
            severity: 'error',
            what,
            where: role,
            advice: `Start "millrace ${role}", or look at why it does not reach the database.`,
          },
        ];
  const silent = processes
    .filter((one) => one.role !== 'worker' && !isHeard(one))
    .map(({ who, silentSeconds }): Finding => ({
      severity: 'warning',
      what: `It has not been heard of for ${Math.round(silentSeconds)} s, and did not say goodbye.`,
      where: who,
      advice: 'Look at its log and at whether it reaches the database. If it is gone for good, this goes by itself.',
    }));
  return [
    ...missing(
      'scheduler',
      'No scheduler runs: nothing is started by schedules, retried, timed out or launched as Pods.',
    ),
    ...missing('server', 'No server takes the beats of workers.'),
    ...silent,
  ];
}

export function judgeReleases(processes: readonly ProcessFacts[], own: string): Finding[] {
  return processes.flatMap(({ who, version }): Finding[] => {
    const apart = minorsApart(version, own);
    if (apart === null || apart === 0) return [];
    const what = `It runs ${version}, the server that answers ${own}.`;
    return isTooFarApart(version, own)
      ? [
          {
            severity: 'error',
            what,
            where: who,
            advice: 'Upgrade the older one: one minor release apart is what works together.',
          },
        ]
      : [{ severity: 'info', what, where: who, advice: 'Fine during an upgrade; finish it.' }];
  });
}

/** `ownMs`: of the server that answers. */
export function judgeClocks(processes: readonly ProcessFacts[], ownMs: number): Finding[] {
  const known = processes.flatMap(({ who, clockMs }) => (clockMs === null ? [] : [{ who, ms: clockMs }]));
  return [...known, { who: 'the server that answers', ms: ownMs }]
    .filter(({ ms }) => Math.abs(ms) > CLOCK_MS)
    .map(({ who, ms }) => ({
      severity: Math.abs(ms) > FAR_CLOCK_MS ? 'error' : 'warning',
      what: `Its clock is ${(Math.abs(ms) / 1000).toFixed(1)} s ${ms > 0 ? 'ahead of' : 'behind'} the database’s.`,
      where: who,
      advice: 'Set its time (NTP). Nothing is decided by it, but times in logs and tokens are its own.',
    }));
}

export const judgeLeases = (held: HeldLeases | undefined): Finding[] =>
  held
    ? [
        {
          severity: 'error',
          what: `${held.silent} of ${held.live} running tries have fallen silent together; they are kept until ${held.until.toISOString()}.`,
          where: 'workers',
          advice:
            'Look at what lies between workers and servers: network, proxy, load. When the beats return, all goes on.',
        },
      ]
    : [];
