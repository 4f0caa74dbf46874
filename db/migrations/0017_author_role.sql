-- The role of whoever deployed a version: what its Pods may be depends on it. Null: before this was kept, which counts as the least.
alter table dag_version add column author_role text;
