-- How far each consumer of the event log has come. Moved in the transaction that handles the events, so their effects in this database
-- happen exactly once.
create table event_consumer (
  name text primary key,
  xid xid8 not null, run_id bigint not null, run_seq int not null,
  most int,                                    -- events at once while a batch is being narrowed down to the one that fails; null: as many as wanted
  failures int not null default 0,             -- in a row, at this place
  last_error text,
  skipped bigint not null default 0,           -- events given up
  moved_at timestamptz(3) not null default clock_timestamp()
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
