-- What the templates of a try came to, without secrets: for people to look at. Only of tasks that have templates.
create table task_rendered (
  run_id bigint not null,
  dispatch_id uuid not null,
  fields jsonb not null,                       -- text by field
  primary key (run_id, dispatch_id)
) partition by range (run_id);
