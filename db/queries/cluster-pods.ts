/** How many Pods tasks have on clusters, and how many wait for theirs. */
import { sql } from 'kysely';
import { clusterQueue } from '#sdk/system-tasks.ts';
import type { Db } from '#db/client.ts';

export interface PodCounts {
  /** Tasks whose Pod is not asked for yet: a limit, a quota or the cluster holds them back. */
  waiting: number;
  /** Pods that are asked for, and whose container does not run yet. */
  starting: number;
  running: number;
}

/** In the order of `clusters`. */
export async function countPods(db: Db, clusters: readonly string[]): Promise<PodCounts[]> {
  const queues = clusters.map(clusterQueue);
  const { rows } = await sql<PodCounts>`
    select coalesce(l.waiting, 0) + coalesce(r.waiting, 0) as waiting, coalesce(l.starting, 0) as starting, coalesce(l.running, 0) as running
    from unnest(${clusters}::text[], ${queues}::text[]) with ordinality as c(cluster, queue, place)
    left join lateral (
      select count(*) filter (where l.phase = 'waiting')::int as waiting,
        count(*) filter (where l.phase in ('creating', 'created', 'scheduled'))::int as starting,
        count(*) filter (where l.phase = 'started')::int as running
      from launch l where l.cluster = c.cluster) l on true
    left join lateral (select count(*)::int as waiting from ready_task t where t.queue = c.queue) r on true
    order by c.place`.execute(db);
  return rows;
}
