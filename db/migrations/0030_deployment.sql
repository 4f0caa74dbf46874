-- What processes say of themselves with their beats: how far their clock is ahead of the database's, and how many connections they may open.
alter table service_process add column clock_ms int, add column connections int;
alter table worker add column clock_ms int;

-- Attempts to sign in of late, counted by all servers together. A window begins with its first attempt.
create table login_attempt (
  key text primary key,
  count int not null,
  until timestamptz(3) not null
);
create index login_attempt_until on login_attempt (until);
