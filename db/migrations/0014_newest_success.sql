-- The newest success before a date: for templates that ask for it.
create index dag_run_success on dag_run (dag_id, logical_date desc nulls last, id desc) where state = 'success';
