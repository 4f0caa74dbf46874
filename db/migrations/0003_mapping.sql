-- Mapped tasks, early ends whose teardowns still run.

-- The engine makes its instances when its inputs are known: a mapped task, or what stands for a mapped group.
alter table dag_version_task add column expands boolean not null default false;

-- How the run ends once nothing remains, when it has been ended early and its teardowns still run.
alter table dag_run add column end_as run_state;

-- Arguments of one instance of a mapped task, kept under its own index or that of the group's `map` task.
create table map_item (
  run_id bigint not null, task_index int not null, map_index int not null,
  value jsonb not null,
  name text,                                   -- for people, made from the arguments
  primary key (run_id, task_index, map_index)
) partition by range (run_id);
