import { AS_FEW, type Statement } from './statement.ts';

/**
 * Why a report was refused. DUPLICATE only when this very end is on record under this very dispatch: a try that its lease, a cancellation
 * or a person ended is not what its runner says it was. A deferral is on record
 * while it lasts. $1 run $2 task $3 map $4 dispatch $5 outcome $6 cause. Rows: n, answer.
 */
export const EXPLAIN_REFUSALS: Statement = {
  name: 'explain_refusals',
  text: `
select f.n::int as n, case when t.found is null then 'UNKNOWN' when y.found is null and not t.waits then 'FENCED' else 'DUPLICATE' end as answer
from (select * from unnest($1::bigint[], $2::int[], $3::int[], $4::uuid[], $5::task_state[], $6::text[]) with ordinality
  f(run_id, task_index, map_index, dispatch_id, outcome, cause, n) ${AS_FEW}) f
left join lateral (
  select true as found, f.outcome is not distinct from 'deferred' and t.state = 'deferred' and t.dispatch_id = f.dispatch_id as waits from task_instance t
  where t.run_id = f.run_id and t.task_index = f.task_index and t.map_index = f.map_index) t on true
left join lateral (
  select true as found from task_try y
  where y.run_id = f.run_id and y.task_index = f.task_index and y.map_index = f.map_index and y.dispatch_id = f.dispatch_id
    and y.outcome = f.outcome and y.cause is not distinct from f.cause) y on true`,
};
