/** Launches on clusters that are not there any more. */
import type pg from 'pg';
import { readLaunch, type Launch, type LaunchRow } from './launches.ts';

const TAKE = {
  name: 'take_launches_of_removed_clusters',
  text: `
delete from launch where dispatch_id in (
  select l.dispatch_id from launch l where not exists (select from cluster c where c.name = l.cluster) limit 1000 for update skip locked)
returning *`,
};

/** Takes them out of the table: nobody can look after them. Their tasks are the caller's to end. */
export async function takeLaunchesOfRemovedClusters(pool: pg.Pool): Promise<(Launch & { cluster: string })[]> {
  const { rows } = await pool.query<LaunchRow & { cluster: string }>(TAKE);
  return rows.map((row) => ({ ...readLaunch(row), cluster: row.cluster }));
}
