-- Of a Pod with a collector: its task's container has ended well, and what it left may be fetched.
alter table launch add column result_ready_at timestamptz;
