/** Whether the sweep of leases waits because too many ran out at once. A row, so that all schedulers see one clock and one answer. */
import { sql } from 'kysely';
import type { Db } from '#db/client.ts';
import { LEASE_END } from './task-transitions/keep-alive.ts';
import { isLaunched } from './task-transitions/start-tasks.ts';

/**
 * How long beats may stay away before the tries end all the same. Time to mend a network, a proxy or a rollout of servers, while
 * workers go on and keep their reports; a fleet that has really died costs its runs some minutes.
 */
export const HOLD_SECONDS = 300;
/** The longest interval between two beats. Who fell silent together runs out within it, so it is one sweep, whoever sweeps how often. */
const BEAT_SECONDS = 12;
/** Without a sweep for so long nobody holds anything: the schedulers are away. */
const STALE_SECONDS = 60;

export interface LeaseCounts {
  /** Tries that run. */
  live: number;
  /** Of them: run out now. */
  expired: number;
  /** Of them: run out now or before the next beat would be due. */
  silent: number;
}

export async function countLeases(db: Db): Promise<LeaseCounts> {
  const { rows } = await sql<LeaseCounts>`
    select count(*)::int as live, count(*) filter (where t.lease_end < clock_timestamp())::int as expired,
      count(*) filter (where t.lease_end < clock_timestamp() + ${BEAT_SECONDS} * interval '1 second')::int as silent
    from (select id from dag_run where state = 'running' and active > 0) r,
      lateral (select ${sql.raw(LEASE_END)} as lease_end from task_instance t where t.run_id = r.id and t.state = 'running'
        and not ${sql.raw(isLaunched('t.dispatch_id'))}) t`.execute(db);
  return rows[0] ?? { live: 0, expired: 0, silent: 0 };
}

/** Another sweep that saw too many; says for how many seconds that has gone on, 0 to the first one. After a long pause it begins anew. */
export async function holdLeases(db: Db, { live, silent }: LeaseCounts): Promise<number> {
  const { rows } = await sql<{ held: number }>`
    with clk as materialized (select clock_timestamp() ts)
    insert into lease_breaker as b (since, seen_at, live, silent) select ts, ts, ${live}::int, ${silent}::int from clk
    on conflict (one_row) do update set seen_at = excluded.seen_at, live = excluded.live, silent = excluded.silent,
      since = case when b.seen_at < excluded.seen_at - ${HOLD_SECONDS} * interval '1 second' then excluded.since else b.since end
    returning extract(epoch from seen_at - since)::float8 as held`.execute(db);
  return rows[0]?.held ?? 0;
}

/** True: they had been held. */
export async function freeLeases(db: Db): Promise<boolean> {
  const { numDeletedRows } = await db.deleteFrom('lease_breaker').executeTakeFirst();
  return numDeletedRows > 0n;
}

export interface HeldLeases {
  since: Date;
  until: Date;
  live: number;
  silent: number;
}

/** Undefined: leases are swept as they run out. */
export async function readHeldLeases(db: Db): Promise<HeldLeases | undefined> {
  const { rows } = await sql<HeldLeases>`
    select since, since + ${HOLD_SECONDS} * interval '1 second' as until, live, silent from lease_breaker
    where seen_at > clock_timestamp() - ${STALE_SECONDS} * interval '1 second'`.execute(db);
  return rows[0];
}
