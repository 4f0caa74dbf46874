-- Tries that failures of the infrastructure were given on top of the task's own. They stand for one value of max_tries, which each of
-- them raises: a clear sets another one, and with that the count is void.
alter table task_relaunch add column extra smallint not null default 0, add column extra_of smallint;
