-- Somebody is to be told something: one row per event and target, sent from here until it has arrived or is given up.
create table notification (
  id bigint generated always as identity primary key,
  event text not null,                         -- success, failure, retry, skipped, slow, deadline; test
  state text not null default 'pending' check (state in ('pending', 'sent', 'dead')),
  dag_id bigint references dag (id) on delete cascade,
  run_id bigint,                               -- null: a test
  run_seq int not null default 0,              -- of the event it is about; 0: time passed
  version_id bigint,
  rule text not null,                          -- notify[0], tasks[3].notify[0], deadline[0]
  target int not null default 0,               -- place among the targets of the rule
  task_index int not null default -1, map_index int not null default -1,
  try_number smallint not null default 0,
  connection text,                             -- null: a callback
  destination jsonb not null,                  -- {"connection", "recipients"} or {"callback": {"dagId", "conf"}}
  subject text, body text,                     -- of the rule; null: the usual text
  due_at timestamptz not null default clock_timestamp(),
  attempts int not null default 0,
  last_error text,
  created_at timestamptz(3) not null default clock_timestamp(),
  ended_at timestamptz(3)
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
-- No event is told twice
create unique index notification_once on notification (run_id, rule, target, task_index, map_index, try_number, run_seq) where run_id is not null;
create index notification_due on notification (due_at) where state = 'pending';
create index notification_ended on notification (ended_at) where state <> 'pending';
create index notification_dag on notification (dag_id, id);
create index notification_state on notification (state, id);

-- A time by which a run or a try must have ended.
create table deadline (
  id bigint generated always as identity primary key,
  run_id bigint not null,
  dag_id bigint not null references dag (id) on delete cascade,
  version_id bigint not null,
  kind text not null check (kind in ('deadline', 'slow')),
  rule text not null,
  task_index int not null default -1, map_index int not null default -1,
  try_number smallint not null default 0,
  due_at timestamptz(3) not null,
  state text not null default 'pending' check (state in ('pending', 'met', 'missed')),
  settled_at timestamptz(3),
  unique (run_id, rule, task_index, map_index, try_number)
);
create index deadline_due on deadline (due_at) where state = 'pending';
create index deadline_dag on deadline (dag_id);
