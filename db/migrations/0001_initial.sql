-- The state of every workflow. One writer per concern: only db/queries/task-transitions.ts changes task_instance.state.
-- Run-sized tables are partitioned by range of run id. A run id carries its day of birth in the high bits
-- (see next_run_id), so a partition is a span of days and retention is a DROP.

create type task_state as enum (
  'none', 'scheduled', 'queued', 'running', 'success', 'failed', 'skipped', 'upstream_failed',
  'up_for_retry', 'up_for_reschedule', 'deferred', 'cancelled', 'removed');
create type run_state as enum ('queued', 'running', 'success', 'failed', 'cancelled');
create type run_kind as enum ('manual', 'scheduled', 'backfill', 'asset');

-- days since 1970 << 36 | sequence: grows with time, below 2^53 until the year 2329
create sequence run_number;
create function next_run_id() returns bigint language sql volatile
  return ((extract(epoch from now())::bigint / 86400) << 36) | nextval('run_number');

-- DAGs and their versions -------------------------------------------------------------------------------------------

create table bundle (
  hash text primary key,                       -- sha256 of the canonical file list, hex
  archive bytea not null,                      -- tar.gz
  size int not null,
  created_at timestamptz(3) not null default now()
);

create table dag (
  id bigint generated always as identity primary key,
  name text not null unique,                   -- the DAG id that people use
  version_id bigint,                           -- current version
  paused boolean not null default false,
  active boolean not null default true,        -- false once its file has gone
  owner text, description text,
  tags text[] not null default '{}',
  max_active_runs int not null,
  next_run_at timestamptz(3),                  -- when the timetable wants the next run; null: never
  next_logical_date timestamptz(3),
  next_interval_start timestamptz(3), next_interval_end timestamptz(3),
  event_seq int not null default 0,
  created_at timestamptz(3) not null default now(),
  updated_at timestamptz(3) not null default now()
);
create index dag_due on dag (next_run_at) where next_run_at is not null and not paused and active;

create table dag_version (
  id bigint generated always as identity primary key,
  dag_id bigint not null references dag (id) on delete cascade,
  number int not null,
  hash text not null,                          -- sha256 of canonical spec + bundle hash
  bundle_hash text references bundle (hash),
  spec jsonb not null,
  task_count int not null,
  max_active_tasks int not null,
  created_by text,
  created_at timestamptz(3) not null default now(),
  unique (dag_id, number), unique (dag_id, hash)
);
alter table dag add foreign key (version_id) references dag_version (id);

-- What the engine's statements need of each task, by index; the spec holds the rest.
create table dag_version_task (
  version_id bigint not null references dag_version (id) on delete cascade,
  task_index int not null,
  task_id text not null,
  upstream_count int not null,
  retries smallint not null,
  entry boolean not null,                      -- ready when the run starts
  instant boolean not null,                    -- settled by the engine, never launched (empty tasks)
  leaf boolean not null,                       -- without downstreams: its failure fails the run
  queue text not null,
  rank int not null,                           -- minus the priority weight: lower goes first
  primary key (version_id, task_index)
);

create table import_error (
  source text not null, path text not null,
  message text not null,
  at timestamptz(3) not null default now(),
  primary key (source, path)
);

-- Runs -------------------------------------------------------------------------------------------------------------

create table dag_run (
  id bigint primary key default next_run_id(),
  dag_id bigint not null references dag (id) on delete cascade,
  version_id bigint not null references dag_version (id),
  state run_state not null,
  kind run_kind not null,
  remaining int not null,                      -- task instances that are not finished
  active int not null default 0,               -- task instances queued or running, for max_active_tasks
  failed_leaves int not null default 0,        -- leaves that failed or whose upstream failed: they fail the run
  event_seq int not null default 0,            -- dense per run, taken under this row's lock
  max_active_tasks int not null,
  run_key text not null,
  logical_date timestamptz(3),
  interval_start timestamptz(3), interval_end timestamptz(3),
  created_at timestamptz(3) not null default now(),
  started_at timestamptz(3), ended_at timestamptz(3),
  triggered_by text,
  idempotency_key text,
  conf jsonb,                                  -- null: none given
  unique (dag_id, run_key)
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000);
create unique index dag_run_logical_date on dag_run (dag_id, logical_date) where kind = 'scheduled';
create unique index dag_run_idempotency_key on dag_run (dag_id, idempotency_key) where idempotency_key is not null;
create index dag_run_recent on dag_run (dag_id, id desc);
create index dag_run_queued on dag_run (dag_id, id) where state = 'queued';
create index dag_run_running on dag_run (dag_id, id) where state = 'running';
create index dag_run_live on dag_run (id) where state = 'running';

-- No index on state or times: it would end HOT updates of the hottest table.
create table task_instance (
  run_id bigint not null,
  queued_at timestamptz, started_at timestamptz, ended_at timestamptz, deadline_at timestamptz,
  dispatch_id uuid,
  task_index int not null, map_index int not null default -1,
  up_total int not null, up_success int not null default 0, up_failed int not null default 0,
  up_upstream_failed int not null default 0, up_skipped int not null default 0,
  worker_id int,
  state task_state not null,
  try_number smallint not null default 0, max_tries smallint not null,
  constraint live_deadline check (
    state not in ('scheduled', 'queued', 'running', 'up_for_retry', 'up_for_reschedule', 'deferred') or deadline_at is not null),
  constraint running_dispatch check (state <> 'running' or dispatch_id is not null),
  primary key (run_id, task_index, map_index)
) partition by range (run_id);

-- Queued and free to start now; claimed with skip locked; stays tiny.
create table ready_task (
  id bigint generated always as identity,
  run_id bigint not null,
  task_index int not null, map_index int not null default -1,
  rank int not null,
  queue text not null,
  primary key (queue, rank, id)
) with (fillfactor = 90, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
create index ready_task_run on ready_task (run_id, task_index, map_index);

-- Ready by its upstreams (state scheduled), held back by a limit.
create table waiting_task (
  run_id bigint not null, rank int not null,
  task_index int not null, map_index int not null default -1,
  primary key (run_id, rank, task_index, map_index)
);

-- Task instances that wake at a time (up_for_retry).
create table task_timer (
  due_at timestamptz not null,
  run_id bigint not null, task_index int not null, map_index int not null default -1,
  primary key (run_id, task_index, map_index)
);
create index task_timer_due on task_timer (due_at);

-- Append-only history: one row when a try ends.
create table task_try (
  run_id bigint not null,
  queued_at timestamptz, started_at timestamptz, ended_at timestamptz not null,
  dispatch_id uuid,
  task_index int not null, map_index int not null, try_number smallint not null,
  worker_id int,
  outcome task_state not null,
  cause text, exit_code int, message text,
  evidence jsonb,
  log_bytes bigint not null default 0,         -- the end marker: the log is complete when so many bytes have arrived
  primary key (run_id, task_index, map_index, try_number)
) partition by range (run_id);

create table xcom (
  run_id bigint not null, task_index int not null, map_index int not null,
  key text not null,
  value jsonb not null,
  primary key (run_id, task_index, map_index, key)
) partition by range (run_id);

create table log_chunk (
  run_id bigint not null,
  dispatch_id uuid not null,
  byte_offset bigint not null,
  body text not null,
  primary key (run_id, dispatch_id, byte_offset)
) partition by range (run_id);

-- Append-only. Runs: run_seq is dense under the run's row lock. DAG-level events carry run_id = -dag.id and dag.event_seq.
-- Global order for tailing: (xid, run_id, run_seq), read only below pg_snapshot_xmin.
create table event (
  run_id bigint not null,
  xid xid8 not null default pg_current_xact_id(),
  run_seq int not null,
  at timestamptz not null default clock_timestamp(),
  body jsonb not null,
  primary key (run_id, run_seq)
) partition by range (run_id);
create index event_xid on event (xid);
create table event_dag partition of event for values from (minvalue) to (0);

-- Workers -----------------------------------------------------------------------------------------------------------

create table worker (
  id int generated always as identity primary key,
  name text not null,
  queues text[] not null,
  slots int not null,
  version text not null,
  hostname text, pid int,
  state text not null default 'online' check (state in ('online', 'draining', 'offline')),
  started_at timestamptz(3) not null default now(),
  last_beat_at timestamptz(3) not null default now()
);
create unique index worker_name on worker (name) where state <> 'offline';

-- Who is alive. "alive_since" starts anew after a silence: leases are swept only while a server has been up for a whole lease.
create table service_process (
  id uuid primary key,
  role text not null check (role in ('server', 'scheduler')),
  hostname text not null, pid int not null, version text not null,
  started_at timestamptz(3) not null default now(),
  alive_since timestamptz(3) not null default now(),
  last_beat_at timestamptz(3) not null default now()
);

-- Access ------------------------------------------------------------------------------------------------------------

create table app_user (
  id bigint generated always as identity primary key,
  name text not null unique,
  password_hash text,
  role text not null check (role in ('viewer', 'editor', 'admin')),
  disabled boolean not null default false,
  created_at timestamptz(3) not null default now()
);

create table session (
  token_hash text primary key,                 -- sha256 of the cookie's value
  user_id bigint not null references app_user (id) on delete cascade,
  created_at timestamptz(3) not null default now(),
  last_used_at timestamptz(3) not null default now(),
  expires_at timestamptz(3) not null
);

create table login_link (
  token_hash text primary key,
  user_id bigint not null references app_user (id) on delete cascade,
  expires_at timestamptz(3) not null,
  used_at timestamptz(3)
);

create table api_token (
  id bigint generated always as identity primary key,
  token_hash text not null unique,
  name text not null,
  role text not null check (role in ('viewer', 'editor', 'admin', 'worker')),
  created_by text,
  created_at timestamptz(3) not null default now(),
  expires_at timestamptz(3) not null,
  last_used_at timestamptz(3),
  revoked_at timestamptz(3)
);

create table audit_event (
  id bigint generated always as identity primary key,
  at timestamptz(3) not null default now(),
  actor text not null, action text not null, object text not null,
  detail jsonb
);
