-- What is known of a queue beside its tasks and workers. A deploy names those of its tasks.
create table queue (
  name text primary key,
  description text,
  -- Null: it is not paused.
  paused_at timestamptz, paused_by text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  updated_by text,
  constraint queue_pause check ((paused_at is null) = (paused_by is null))
);
-- Asked by every claim: nearly always empty.
create index queue_paused on queue (name) where paused_at is not null;

insert into queue (name)
select distinct v.queue from dag d join dag_version_task v on v.version_id = d.version_id where v.queue not like '@%';
