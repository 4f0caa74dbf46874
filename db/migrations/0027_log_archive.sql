-- Logs that have moved from log_chunk to a log store. Either place has a byte of a log, for a moment none: they change in one transaction.
create table log_archive (
  run_id bigint not null,
  dispatch_id uuid not null,
  archived_at timestamptz not null default clock_timestamp(),
  bytes bigint not null,                       -- of the text
  lines bigint not null,
  stored_bytes bigint not null,                -- in the store, compressed where it compresses
  store text not null,
  key text not null,                           -- what the store calls it
  blocks json not null,                        -- [offset, bytes, lines, stored bytes] of each block, in order
  primary key (run_id, dispatch_id)
) partition by range (run_id);

-- Logs that are to be archived once they are sealed. One that is taken is looked at again when its taker must be dead.
create table log_due (
  run_id bigint not null,
  dispatch_id uuid not null,
  task_index int not null, map_index int not null,
  look_at timestamptz not null default clock_timestamp(),
  since timestamptz not null default clock_timestamp(),
  attempts int not null default 0,             -- that failed, in a row
  claim uuid,
  key text,                                    -- under which its taker writes it: known before anything is written
  primary key (run_id, dispatch_id)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
create index log_due_look_at on log_due (look_at);

-- What is to be deleted in a store. The row goes when the object has gone.
create table log_trash (
  id bigint generated always as identity primary key,
  store text not null, key text not null,
  look_at timestamptz not null default clock_timestamp()
) with (autovacuum_vacuum_scale_factor = 0.05);
create index log_trash_look_at on log_trash (look_at);

-- The stores that logs were ever archived to; `current` is the one that they go to now. None is: they stay in log_chunk.
create table log_store (
  name text primary key,
  current boolean not null default false,
  archive_from bigint not null,                -- shorter logs stay where they are
  since timestamptz not null default clock_timestamp(),
  seeded_to bigint,                            -- run up to which logs of before `since` are due; null: all
  failing_since timestamptz, last_error text,
  check (not current or archive_from >= 0)
);
create unique index log_store_current on log_store (current) where current;
