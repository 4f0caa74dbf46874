-- Results too large for a row of xcom: their JSON in pieces, by the sha256 of its bytes. They go with their run's partition.
create table artifact (
  run_id bigint not null,
  hash text not null,
  chunk int not null,
  data bytea not null,
  primary key (run_id, hash, chunk)
) partition by range (run_id);
-- Written and read whole: no attempt to make its pieces smaller, which costs more than it brings in the hot path of a worker.
alter table artifact alter column data set storage external;

-- Set: the value lies in artifact, and "value" is the beginning of its text.
alter table xcom add column artifact text, add column bytes bigint;

-- The value of a result, wherever it lies. What a runner has brought may be anything: no reader's transaction fails over it.
create function xcom_json(value jsonb, of_run bigint, of_hash text) returns jsonb language plpgsql stable as $$
begin
  if of_hash is null then
    return value;
  end if;
  begin
    return (select convert_from(string_agg(a.data, ''::bytea order by a.chunk), 'UTF8')::jsonb
      from artifact a where a.run_id = of_run and a.hash = of_hash);
  exception when others then
    return to_jsonb('unreadable: ' || sqlerrm);
  end;
end $$;
