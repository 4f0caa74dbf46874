import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { migrate } from '#db/migrate.ts';
import { ensurePartitions, PARTITIONED, spanOf } from '#db/queries/partitions.ts';
import { createTestDatabase, type TestDatabase } from '../helpers/database.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});

async function inEmptyDatabase(work: (url: string) => Promise<void>): Promise<void> {
  const name = `empty_${process.pid}`;
  const admin = new pg.Client({ connectionString: inject('postgresUrl') });
  await admin.connect();
  await admin.query(`create database ${name}`);
  const url = new URL(inject('postgresUrl'));
  url.pathname = `/${name}`;
  try {
    await work(url.href);
  } finally {
    await admin.query(`drop database ${name} with (force)`);
    await admin.end();
  }
}

describe('migrate', () => {
  it('applies each migration once when two processes migrate an empty database at the same time', async () => {
    await inEmptyDatabase(async (url) => {
      const applied = await Promise.all([migrate(url), migrate(url), migrate(url)]);
      const names = applied.flat();
      expect(names).toContain('0001_initial.sql');
      expect(new Set(names).size).toBe(names.length);
      expect(await migrate(url)).toEqual([]);
    });
  });

  it('makes the partitions of this span of days and the next', async () => {
    const { rows } = await database.pool.query<{ relname: string }>(
      `select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'task_instance'::regclass order by 1`,
    );
    const now = new Date();
    expect(rows.map((row) => row.relname)).toEqual([0, 1].map((n) => `task_instance_${spanOf(now, n).name}`));
    await Promise.all([ensurePartitions(database.pool), ensurePartitions(database.pool)]);
  });

  it('makes a table that came later fit for the runs of before', async () => {
    const { pool } = database;
    const former = spanOf(new Date(), -3);
    await pool.query(
      `create table task_instance_${former.name} partition of task_instance for values from (${former.from}) to (${former.to})`,
    );
    const insert = `insert into artifact (run_id, hash, chunk, data) values ($1, 'x', 0, '')`;
    await expect(pool.query(insert, [former.from])).rejects.toThrow(
      'no partition of relation "artifact" found for row',
    );
    await ensurePartitions(pool);
    await pool.query(insert, [former.from]);
    const { rows } = await pool.query<{ parent: string; n: number }>(
      `select i.inhparent::regclass::text as parent, count(*)::int as n from pg_inherits i
        join pg_class c on c.oid = i.inhrelid where c.relname like '%\\_' || $1 group by 1 order by 1`,
      [former.name],
    );
    expect(rows.filter(({ parent }) => parent in PARTITIONED)).toEqual(
      Object.keys(PARTITIONED)
        .toSorted()
        .map((parent) => ({ parent, n: 1 })),
    );
  });

  it('has a partition for a run that is born now', async () => {
    const { rows } = await database.pool.query<{ id: number; partition: string }>(
      `with i as (insert into xcom (run_id, task_index, map_index, key, value) values (next_run_id(), 0, -1, 'k', '1') returning tableoid::regclass::text as partition, run_id as id) select * from i`,
    );
    expect(rows[0]?.partition).toBe(`xcom_${spanOf(new Date()).name}`);
    expect(Number.isSafeInteger(rows[0]?.id)).toBe(true);
  });
});

describe('0004_schedules', () => {
  it('gives stored schedules their present form', async () => {
    const { pool } = database;
    const old = { schedule: { kind: 'cron', expression: '@daily' }, tasks: [] };
    const { rows } = await pool.query<{ id: number }>(
      `with d as (insert into dag (name, max_active_runs) values ('old', 1) returning id)
       insert into dag_version (dag_id, number, hash, spec, task_count, max_active_tasks) select id, 1, 'x', $1, 0, 1 from d returning id`,
      [JSON.stringify(old)],
    );
    const file = readFileSync(join(import.meta.dirname, '../../db/migrations/0004_schedules.sql'), 'utf8');
    await pool.query(file.slice(file.indexOf('update dag_version')));
    const { rows: after } = await pool.query('select spec from dag_version where id = $1', [rows[0]?.id]);
    expect(after[0]?.spec).toEqual({ ...old, schedule: { kind: 'cron', expressions: ['@daily'] } });
  });
});

describe('spanOf', () => {
  it('begins on a Monday in UTC and is four weeks of run ids long', () => {
    const span = spanOf(new Date('2026-01-14T12:00:00Z'));
    const start = new Date(Number(BigInt(span.from) >> 36n) * 86_400_000);
    expect(start.getUTCDay()).toBe(1);
    expect(BigInt(span.to) - BigInt(span.from)).toBe(28n << 36n);
    expect(spanOf(new Date('2026-01-14T12:00:00Z'), 1).from).toBe(span.to);
    expect(span.name).toBe(start.toISOString().slice(0, 10).replaceAll('-', ''));
  });

  it('gives every moment of a span the same span', () => {
    const { from, to } = spanOf(new Date('2026-01-14T12:00:00Z'));
    const at = (id: string, plus: number) => new Date(Number(BigInt(id) >> 36n) * 86_400_000 + plus);
    expect(spanOf(at(from, 0)).from).toBe(from);
    expect(spanOf(at(to, -1)).from).toBe(from);
    expect(spanOf(at(to, 0)).from).toBe(to);
  });
});
