/** What goes on in queues now. */
import { sql } from 'kysely';
import type { Db } from '#db/client.ts';

export interface QueueFigures {
  /** Ready tasks. */
  depth: number;
  /** When the one that stands in line longest was queued; null: none does. */
  oldest_at: Date | null;
  /** How long ago that is, by the database's clock. */
  oldest_seconds: number | null;
  /** Task instances of the queue that run. */
  running: number;
  /** Workers that are online and serve it, with their slots; those that are free may go to their other queues too. */
  consumers: number;
  slots: number;
  free_slots: number;
}

export const NO_FIGURES: QueueFigures = {
  ...{ depth: 0, oldest_at: null, oldest_seconds: null, running: 0, consumers: 0, slots: 0, free_slots: 0 },
};

/** Follows what is ready, what runs and who is there, never the history. Queues of which there is nothing to say may be left out. */
export async function findQueueFigures(db: Db, names: readonly string[]): Promise<Map<string, QueueFigures>> {
  if (names.length === 0) return new Map();
  const { rows } = await sql<QueueFigures & { name: string }>`
    with busy as materialized (
      select t.worker_id, v.queue, count(*)::int as n from dag_run r
      join task_instance t on t.run_id = r.id and t.state = 'running'
      join dag_version_task v on v.version_id = r.version_id and v.task_index = t.task_index
      where r.state = 'running' and r.active > 0 group by t.worker_id, v.queue)
    select q.name, coalesce(l.depth, 0) as depth, t.queued_at as oldest_at,
      extract(epoch from clock_timestamp() - t.queued_at)::float8 as oldest_seconds,
      coalesce((select sum(b.n)::int from busy b where b.queue = q.name), 0) as running, w.consumers, w.slots, w.free_slots
    from unnest(${names}::text[]) q(name)
    left join (
      select queue, count(*)::int as depth, min(array[id, run_id, task_index, map_index]) as first
      from ready_task where queue = any(${names}::text[]) group by queue) l on l.queue = q.name
    left join task_instance t on t.run_id = l.first[2] and t.task_index = l.first[3] and t.map_index = l.first[4]
    cross join lateral (
      select count(*)::int as consumers, coalesce(sum(w.slots), 0)::int as slots,
        coalesce(sum(greatest(w.slots - coalesce((select sum(b.n) from busy b where b.worker_id = w.id), 0), 0)), 0)::int as free_slots
      from worker w where w.state = 'online' and q.name = any(w.queues)) w`.execute(db);
  return new Map(rows.map(({ name, ...figures }) => [name, figures]));
}
