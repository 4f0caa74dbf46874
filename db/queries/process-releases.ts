/** Which releases run, by the beats of processes and workers. */
import type pg from 'pg';
import { isBefore } from '../releases.ts';

export interface RunningRelease {
  /** For people: `server on host-1 (pid 7)`. */
  who: string;
  version: string;
}

/** Who has been heard of within a lease; none before the tables are there. */
const RUNNING = `
select format('%s on %s (pid %s)', role, hostname, pid) as who, version from service_process where last_beat_at > now() - interval '60 s'
union all
select format('worker %s', name), version from worker where state <> 'offline' and last_beat_at > now() - interval '60 s'`;

/** Those that are older than the release, with theirs. */
export async function findOldProcesses(client: pg.ClientBase, release: string): Promise<string[]> {
  const { rows } = await client.query<{ there: boolean }>(
    `select to_regclass('service_process') is not null and to_regclass('worker') is not null as there`,
  );
  if (!rows[0]?.there) return [];
  const running = await client.query<RunningRelease>(RUNNING);
  return running.rows
    .filter(({ version }) => isBefore(version, release))
    .map(({ who, version }) => `${who}: ${version}`);
}
