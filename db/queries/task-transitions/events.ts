/** Parts of statements that tell of the instances that they have changed: `u`, with run_id, task_index, map_index, try_number. Runs locked. */

/**
 * `s`: each run counts an event on, and as many active instances more or fewer as there are in `u`, where that is said. `e`: the event, at
 * the time `clk`, says that they are in this state now.
 */
export const events = (state: string, active?: '+' | '-'): string => `s as (
  update dag_run r set ${active ? `active = r.active ${active} g.n, ` : ''}event_seq = r.event_seq + 1
  from (select run_id, ${active ? 'count(*)::int n, ' : ''}json_agg(json_build_array(task_index, map_index, '${state}', try_number)) t from u group by run_id) g
  where r.id = g.run_id returning r.id, r.event_seq, g.t),
e as (insert into event (run_id, run_seq, at, body) select id, event_seq, (select ts from clk), json_build_object('t', t) from s)`;

/** As events, and whoever waits for some is woken: `notify`, which the statement has to read. */
export const announce = (state: string): string => `${events(state)},
notify as materialized (select pg_notify('millrace_event', '') from (select from s limit 1) x)`;
