/** Rows that a transaction has put into ready_task: how workers hear of them, and a broker. */
import type { Statement } from './statement.ts';

/** What an engine sets on its connections that has a broker to tell. */
export const TELL_BROKER = 'millrace.broker=on';

/** What a broker is told of a row: where it stands in line. */
export interface ReadyRow {
  queue: string;
  rank: number;
  id: number;
}

/**
 * The branches of `notify` that tell of `y`, rows just inserted (`returning queue, rank, id`). What a broker is to hear is kept for the end
 * of the transaction; where there is none, nothing is gathered.
 */
export const TELL_READY = `select pg_notify('millrace_ready', q.queue)::text from (select distinct queue from y) q
  union all select set_config('millrace.ready', concat(current_setting('millrace.ready', true), (select json_agg(json_build_array(queue, rank, id)) from y), e'\\n'), true)
    from (select 1 where current_setting('millrace.broker', true) = 'on') told`;

/** All that the statements of this transaction have put there. */
export const READY_ROWS: Statement = {
  name: 'ready_rows',
  text: `select current_setting('millrace.ready', true) as ready`,
};

export function parseReady(text: string | null): ReadyRow[] {
  const lists = (text ?? '').split('\n').filter((line) => line !== '') as string[];
  return lists.flatMap((line) =>
    (JSON.parse(line) as [string, number, number][]).map(([queue, rank, id]) => ({ queue, rank, id })),
  );
}
