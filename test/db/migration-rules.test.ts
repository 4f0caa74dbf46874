import { describe, expect, it } from 'vitest';
import { readMigrations } from '#db/migrations.ts';
import { contractsIn } from '../helpers/expand-only.ts';

/** Written while nobody could run an earlier release. */
const BEFORE_THE_RULE = '0021';

describe('a migration', () => {
  it('does not take away what the release before uses, unless it says so', async () => {
    const silent = (await readMigrations()).filter(({ name, needs }) => name >= BEFORE_THE_RULE && needs === null);
    expect(Object.fromEntries(silent.map(({ name, sql }) => [name, contractsIn(sql)]))).toEqual(
      Object.fromEntries(silent.map(({ name }) => [name, []])),
    );
  });

  it('has a number of its own from then on, so that the order is known', async () => {
    const numbers = (await readMigrations())
      .map(({ name }) => name.slice(0, 4))
      .filter((one) => one >= BEFORE_THE_RULE);
    expect(numbers.filter((one, i) => numbers.indexOf(one) !== i)).toEqual([]);
  });
});

describe('the rule', () => {
  it.each([
    'drop table worker;',
    'alter table worker drop column pid;',
    'ALTER TABLE worker\n  RENAME COLUMN pid TO process;',
    'alter table worker alter column pid set not null;',
    'alter table worker alter pid type bigint;',
    'alter table worker add column a int not null;',
    'alter table worker add column a int default 0, add column b text not null;',
    "alter table worker add constraint named check (name <> '');",
    'alter table worker drop constraint worker_pkey;',
    'create unique index worker_name on worker (name);',
    "alter type task_state rename value 'none' to 'new';",
  ])('sees that this is no mere addition: %s', (sql) => {
    expect(contractsIn(sql)).toHaveLength(1);
  });

  it.each([
    'alter table worker add column a int, add column b int not null default 0;',
    "create table place (id int primary key, name text not null); create unique index on place (name); alter table place add check (name <> 'drop table');",
    '-- drop table worker;\ncreate index on worker (name);',
    'drop index worker_name;',
    "comment on table worker is 'rename; drop table worker';",
    'create or replace function f() returns int language sql as $$ drop table worker; select 1 $$;',
    "alter type task_state add value 'new';",
  ])('lets this pass: %s', (sql) => {
    expect(contractsIn(sql)).toEqual([]);
  });
});
