-- Events are written and read whole, never searched: text that is known to be JSON costs a third less to build than jsonb.
alter table event alter column body type json using body::json;

-- Who keeps a DAG (`folder:/dags`, `cli`) and from which file; null: not told.
alter table dag add column source text, add column path text;
-- Named by absolute path until now; the next look at the folder writes them anew.
delete from import_error;

-- How often a try went back to the line before its code started. A row only where that ever happened: task_instance stays narrow.
create table task_relaunch (
  run_id bigint not null, task_index int not null, map_index int not null,
  try_number smallint not null,                -- the try that is counted; the next one counts afresh
  count smallint not null,
  primary key (run_id, task_index, map_index)
) partition by range (run_id);

-- There while too many leases have run out at once: no try is ended then, until beats return or have stayed away too long.
create table lease_breaker (
  one_row boolean primary key default true check (one_row),
  since timestamptz not null,                  -- the first sweep that saw it
  seen_at timestamptz not null,                -- the last one
  live int not null, silent int not null       -- what that saw
);

-- Until when a dispatch has been renewed; one that never beat has its first lease, in task_instance.deadline_at. Apart from the
-- instance, so that no beat ever stands in the way of a flush, or a flush in the way of a beat.
create table task_lease (
  dispatch_id uuid primary key,
  renewed_until timestamptz not null
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.1);

-- dag_run_running holds the same rows: one of the two is enough, and with both the planner may walk all live runs for those of one DAG.
drop index dag_run_live;
