-- Waiting without a worker: task instances in state deferred, and what wakes them.

-- What a deferred task instance waits for. Its dispatch stays current: whoever has an end for it reports under that dispatch.
create table trigger_wait (
  run_id bigint not null,
  task_index int not null, map_index int not null default -1,
  dispatch_id uuid not null,
  kind text not null,                          -- what looks at it
  spec jsonb not null,                         -- what it looks for, templates rendered
  due_at timestamptz not null,                 -- the next look; a look under way moves it ahead, so that one that dies only delays
  timeout_at timestamptz,                      -- the wait is over then; null: never
  watch_key text,                              -- an event of this name makes it due
  polls int not null default 0,
  created_at timestamptz not null default clock_timestamp(),
  primary key (run_id, task_index, map_index, dispatch_id)
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
create index trigger_wait_due on trigger_wait (due_at);
create index trigger_wait_watch on trigger_wait (watch_key) where watch_key is not null;
create index trigger_wait_approval on trigger_wait (run_id, task_index, map_index) where kind = 'approval';

-- Since when a task instance has been looking, over its tries and its looks in between. A row only where a look was put off.
create table task_poke (
  run_id bigint not null,
  task_index int not null, map_index int not null,
  first_started_at timestamptz not null,
  pokes int not null,
  primary key (run_id, task_index, map_index)
) partition by range (run_id);

-- Runs of one logical date, for those who wait for them; scheduled ones have an index already.
create index dag_run_other_logical_date on dag_run (dag_id, logical_date) where logical_date is not null and kind <> 'scheduled';
