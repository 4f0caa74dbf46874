-- What the end of a run means for its DAG, and when a run ends by itself.
alter table dag
  add column pause_reason text,                -- why the service paused it by itself; null: it did not
  add column max_failed_runs int not null default 0,   -- so many failed runs in a row pause it; 0: never
  add column failures_from timestamptz(3) not null default now(),  -- runs that ended before do not count: a person has looked since
  add column overlap text not null default 'allow' check (overlap in ('allow', 'skip', 'buffer_one', 'cancel_running')),
  add column continuous boolean not null default false;  -- its next run is due when the last has ended
create index dag_continuous on dag (id) where continuous;

alter table dag_version add column run_timeout float8;  -- seconds a run may take; null: any

alter table dag_run
  add column timeout_at timestamptz(3),        -- when a running run has taken too long
  add column end_reason text;                  -- why it was ended before its tasks were; null: it was not
create index dag_run_timeout on dag_run (timeout_at) where timeout_at is not null and state = 'running';

-- Several crons at once: the canonical form is a list now.
update dag_version set spec = jsonb_set(spec, '{schedule}', jsonb_build_object('kind', 'cron', 'expressions', jsonb_build_array(spec->'schedule'->'expression')))
where spec->'schedule'->>'kind' = 'cron';
