-- Tasks on clusters: one row per dispatch that was claimed for one, from the claim until nothing of it is left on the cluster.

-- Tells the objects of this service from those of others in the same namespace.
create table installation (
  one_row boolean primary key default true check (one_row),
  id text not null
);
insert into installation (id) values (substr(replace(gen_random_uuid()::text, '-', ''), 1, 16));

create table launch (
  dispatch_id uuid primary key,
  run_id bigint not null, task_index int not null, map_index int not null,
  try_number smallint not null,
  version_id bigint not null,
  cluster text not null,
  worker_id int not null,                      -- the launcher that looks after it; when that is gone, another takes it over
  -- waiting: its object is not asked for yet; creating: may or may not exist; created, scheduled, started: as the cluster says;
  -- ended: reported, or no longer wanted, and to be cleaned up
  phase text not null default 'waiting' check (phase in ('waiting', 'creating', 'created', 'scheduled', 'started', 'ended')),
  kind text, namespace text, name text, uid text, node text,
  reason text, message text,                   -- why it does not go on
  not_before timestamptz,                      -- waiting: the next attempt
  attempts int not null default 0,             -- refusals so far
  on_finish text,
  claimed_at timestamptz not null default clock_timestamp(),
  asked_at timestamptz, created_at timestamptz, scheduled_at timestamptz, started_at timestamptz, ended_at timestamptz
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
create index launch_cluster on launch (cluster, phase);
create index launch_task on launch (run_id, task_index, map_index);
create index launch_worker on launch (worker_id);
