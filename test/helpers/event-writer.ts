import type pg from 'pg';

/** Writes events of a run as the engine does: numbered under the run's row lock, told in the same transaction. */
export async function writeRunEvent(
  client: pg.Pool | pg.ClientBase,
  runId: number,
  body: object = {},
): Promise<number> {
  const { rows } = await client.query<{ run_seq: number }>(
    `with r as (update dag_run set event_seq = event_seq + 1 where id = $1 returning id, event_seq),
     e as (insert into event (run_id, run_seq, body) select id, event_seq, $2 from r returning run_seq)
     select run_seq, pg_notify('millrace_event', '') from e`,
    [runId, JSON.stringify(body)],
  );
  return rows[0]?.run_seq ?? 0;
}
