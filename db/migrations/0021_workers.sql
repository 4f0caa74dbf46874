-- What a worker says of itself, and what people want of it. A beat rewrites the row: half of each page is left free, so that it stays there.
alter table worker
  add column labels jsonb not null default '{}',
  -- As measured with the last beat; null: it does not say.
  add column usage jsonb,
  -- Task instances that it has reported.
  add column finished bigint not null default 0,
  -- Asked for by a person: how it is to end.
  add column drain text constraint worker_drain_check check (drain in ('finish', 'hand_back'));
alter table worker set (fillfactor = 50);
