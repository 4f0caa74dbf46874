-- Where a try ran on a cluster, and what the cluster said of it: for people, kept with the try.
create table launch_record (
  run_id bigint not null, task_index int not null, map_index int not null, try_number smallint not null,
  facts jsonb not null,
  primary key (run_id, task_index, map_index, try_number)
) partition by range (run_id);
