-- Limits. A gate is anything of which a task needs slots or tokens to start: `pool:etl`, `task:7:load`, … (db/engine/gates.ts).

create table pool (
  name text primary key,
  slots int not null check (slots >= 0),
  include_deferred boolean not null default false, -- deferred tasks keep their slots
  description text,
  created_at timestamptz(3) not null default now(),
  updated_at timestamptz(3) not null default now()
);

-- What admitted task instances hold. There exactly while its instance is queued or running (deferred, where the pool says so).
create table held_slot (
  gate text not null,
  run_id bigint not null, task_index int not null, map_index int not null,
  slots int not null,
  primary key (run_id, task_index, map_index, gate)
) with (fillfactor = 90, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
create index held_slot_gate on held_slot (gate) include (slots);

-- Tasks of a version that need the same gates form a set, numbered from 1; set 1 needs none.
alter table dag_version add column gated boolean not null default false; -- has tasks that need gates
alter table dag_version_task add column gate_set int not null default 1;

-- 0: not looked at yet, whoever put it here. Runs of versions that are not gated stay with that.
alter table waiting_task add column gate_set int not null default 0;
alter table waiting_task drop constraint waiting_task_pkey;
alter table waiting_task add primary key (run_id, gate_set, rank, task_index, map_index);

-- The waiting tasks of one set of a run stand before a gate together: one row, however many they are.
create table waiting_gate (
  run_id bigint not null, gate_set int not null,
  gate text not null,                          -- what holds them back
  rank int not null,                           -- of the best of them
  slots int not null,                          -- what each needs
  capacity int not null,                       -- what the gate has, as they see it; of a pool its row is asked
  primary key (run_id, gate_set)
) with (fillfactor = 90, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
create unique index waiting_gate_place on waiting_gate (gate, rank, run_id, gate_set);

-- Token buckets; a full one needs no row.
create table rate_bucket (
  gate text primary key,
  tokens float8 not null, at timestamptz not null,
  full_at timestamptz not null
);

-- When the next token comes for those who wait for one.
create table gate_timer (
  gate text primary key,
  due_at timestamptz not null
);

-- Runs with equal values of what the DAG names count together.
alter table dag_version add column concurrency_key jsonb; -- paths, as lists; null: runs are not told apart
alter table dag_version add column param_defaults jsonb;
alter table dag add column concurrency_limit int;      -- runs at once for each key; null: no limit
alter table dag add column concurrency_strategy text;
alter table dag_run add column concurrency_key text;   -- the values, as JSON
create index dag_run_by_key on dag_run (dag_id, concurrency_key, id) where concurrency_key is not null and state in ('queued', 'running');
create index dag_run_key_started on dag_run (dag_id, concurrency_key, started_at) where concurrency_key is not null and started_at is not null;
