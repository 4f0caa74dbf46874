/** What the service reaches out to, and what it last heard there. */
import type pg from 'pg';

export interface SourceFacts {
  /** `cluster east`, `Git repository dags`. */
  where: string;
  kind: 'cluster' | 'git' | 'import';
  message: string;
}

/** Those with which something is wrong, some of each kind. */
export async function readFailingSources(pool: pg.Pool): Promise<SourceFacts[]> {
  const { rows } = await pool.query<SourceFacts>(`
    (select 'cluster' as kind, format('cluster %s', name) as where, coalesce(health_message, health::text) as message
      from cluster where health in ('degraded', 'unreachable') and not paused order by name limit 20)
    union all
    (select 'git', format('Git repository %s', name), coalesce(message, 'the last look failed')
      from git_source where state = 'failed' and not paused order by name limit 20)
    union all
    (select 'import', format('%s, %s', source, path), message from import_error order by at desc limit 20)`);
  return rows;
}
