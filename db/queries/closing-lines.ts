/** Last lines of logs whose writer is gone for certain. */
import type pg from 'pg';
import type { DispatchKey } from '#db/engine/dispatch-id.ts';

export type ClosingLine = Pick<DispatchKey, 'runId' | 'uuid'> & { line: string };

/** Behind what is stored; readers are woken. $1 run $2 dispatch $3 line */
const CLOSE_LOGS = {
  name: 'close_logs',
  text: `
with i as (
  insert into log_chunk (run_id, dispatch_id, byte_offset, body)
  select l.run_id, l.dispatch_id, coalesce(c.byte_offset + octet_length(c.body), 0), l.line
  from unnest($1::bigint[], $2::uuid[], $3::text[]) l(run_id, dispatch_id, line)
  left join lateral (select byte_offset, body from log_chunk c where c.run_id = l.run_id and c.dispatch_id = l.dispatch_id
    order by byte_offset desc limit 1) c on true
  on conflict do nothing returning dispatch_id)
select pg_notify('millrace_log', dispatch_id::text) from i`,
};

export async function addClosingLines(pool: pg.Pool, lines: readonly ClosingLine[]): Promise<void> {
  if (lines.length === 0) return;
  await pool.query({
    ...CLOSE_LOGS,
    values: [lines.map(({ runId }) => runId), lines.map(({ uuid }) => uuid), lines.map(({ line }) => line)],
  });
}
