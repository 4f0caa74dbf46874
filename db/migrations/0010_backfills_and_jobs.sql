-- What people ask for over many runs at once, and what they write beside a run.

create table backfill (
  id bigint generated always as identity primary key,
  dag_id bigint not null references dag (id) on delete cascade,
  version_id bigint not null references dag_version (id), -- all of its runs use it
  from_date timestamptz(3) not null, to_date timestamptz(3) not null,
  reprocess text not null check (reprocess in ('none', 'failed', 'completed')),
  max_active_runs int not null check (max_active_runs > 0),
  backwards boolean not null,
  conf jsonb,
  note text,
  state text not null default 'running' check (state in ('running', 'paused', 'cancelled', 'completed')),
  created_by text not null,
  created_at timestamptz(3) not null default now(),
  ended_at timestamptz(3)
);
create index backfill_dag on backfill (dag_id, id desc);
create index backfill_open on backfill (id) where ended_at is null;

-- Its dates, in the order in which they are run.
create table backfill_date (
  backfill_id bigint not null references backfill (id) on delete cascade,
  seq int not null,
  logical_date timestamptz(3) not null,
  interval_start timestamptz(3) not null, interval_end timestamptz(3) not null,
  run_id bigint,                               -- its own run; or the one that is the reason why there is none
  outcome text,                                -- state in which its run ended, or: skipped, cancelled
  primary key (backfill_id, seq)
);
create index backfill_date_pending on backfill_date (backfill_id, seq) where run_id is null and outcome is null;
create index backfill_date_live on backfill_date (backfill_id, seq) where run_id is not null and outcome is null;

-- A backfill counts its own runs: max_active_runs of the DAG is not for them.
create index dag_run_queued_backfill on dag_run (dag_id, id) where state = 'queued' and kind = 'backfill';

create table bulk_job (
  id bigint generated always as identity primary key,
  action text not null check (action in ('clear', 'mark', 'cancel')),
  spec jsonb not null,                         -- what is to be done to each run
  total int not null,
  state text not null default 'running' check (state in ('running', 'cancelled', 'completed')),
  created_by text not null,
  created_at timestamptz(3) not null default now(),
  ended_at timestamptz(3)
);
create index bulk_job_open on bulk_job (id) where ended_at is null;

create table bulk_job_item (
  job_id bigint not null references bulk_job (id) on delete cascade,
  seq int not null,
  run_id bigint not null,
  outcome text check (outcome in ('done', 'refused', 'cancelled')),
  message text,
  primary key (job_id, seq)
);
create index bulk_job_item_open on bulk_job_item (job_id, seq) where outcome is null;

-- What people write beside a run (task_index -1) or a task instance.
create table note (
  run_id bigint not null,
  task_index int not null default -1, map_index int not null default -1,
  text text not null,
  updated_by text not null,
  updated_at timestamptz(3) not null default now(),
  primary key (run_id, task_index, map_index)
);
