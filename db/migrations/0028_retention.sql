-- What the current version of a DAG says about how long its runs and logs are kept; null: nothing.
alter table dag add column retention jsonb;

-- What the service as a whole says, as its schedulers were told when they started: seconds. No row: kept for ever.
create table retention_policy (
  what text primary key,
  seconds bigint not null check (seconds > 0)
);

-- All runs of a DAG up to this one that had ended have given up these things: nothing is looked through twice.
create table retention_mark (
  dag_id bigint not null references dag (id) on delete cascade,
  what text not null,
  run_id bigint not null,
  primary key (dag_id, what)
);

-- Each time that something was deleted, or somebody asked for it.
create table retention_run (
  id bigint generated always as identity primary key,
  requested_by text,                           -- null: its time had come
  state text not null default 'requested' check (state in ('requested', 'running', 'completed', 'failed')),
  requested_at timestamptz(3) not null default now(),
  started_at timestamptz(3), ended_at timestamptz(3),
  deleted jsonb not null default '{}',         -- how many of what, so far
  error text
);
create index retention_run_open on retention_run (id) where ended_at is null;
