-- Assets: what tasks update and DAGs wait for. Known by name as soon as a DAG speaks of them.
create table asset (
  id bigint generated always as identity primary key,
  name text not null unique,
  created_at timestamptz(3) not null default clock_timestamp()
);

-- One update of an asset: by a task that succeeded, or from outside. What updated it is kept by name, for it may be deleted.
create table asset_event (
  id bigint generated always as identity primary key,
  asset_id bigint not null references asset (id) on delete cascade,
  at timestamptz(3) not null default clock_timestamp(),
  extra jsonb not null default '{}',
  run_id bigint, task_index int, map_index int, try_number int,
  dag_name text, task_id text, run_key text,
  created_by text,                             -- who said so, from outside
  idempotency_key text,
  check ((run_id is null) = (created_by is not null))
);
create index asset_event_asset on asset_event (asset_id, id);
-- A task tells of an asset once per try, however often it is asked
create unique index asset_event_task on asset_event (run_id, task_index, map_index, try_number, asset_id) where run_id is not null;
create unique index asset_event_key on asset_event (asset_id, idempotency_key) where idempotency_key is not null;

-- Which tasks update it. Not active: not in the current version, but runs of older ones may still be under way.
create table asset_producer (
  dag_id bigint not null references dag (id) on delete cascade,
  task_id text not null,
  asset_id bigint not null references asset (id) on delete cascade,
  active boolean not null default true,
  primary key (dag_id, task_id, asset_id)
);
create index asset_producer_asset on asset_producer (asset_id) where active;

-- Which DAGs have it in their schedule.
create table asset_consumer (
  dag_id bigint not null references dag (id) on delete cascade,
  asset_id bigint not null references asset (id) on delete cascade,
  primary key (dag_id, asset_id)
);
create index asset_consumer_asset on asset_consumer (asset_id);

-- What has come for a DAG since its last run for assets. Gone in the transaction that creates the next.
create table asset_pending (
  dag_id bigint not null references dag (id) on delete cascade,
  asset_id bigint not null references asset (id) on delete cascade,
  event_id bigint not null references asset_event (id) on delete cascade,
  primary key (dag_id, asset_id, event_id)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- What a run was made for. Deleted with the run.
create table asset_run_event (
  run_id bigint not null,
  event_id bigint not null references asset_event (id) on delete cascade,
  primary key (run_id, event_id)
);
create index asset_run_event_event on asset_run_event (event_id);
