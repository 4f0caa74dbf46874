import pg from 'pg';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { migrate } from '#db/migrate.ts';
import { ensurePartitions, weekOf } from '#db/queries/partitions.ts';
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

  it('makes the partitions of this week and five more', async () => {
    const { rows } = await database.pool.query<{ relname: string }>(
      `select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'task_instance'::regclass order by 1`,
    );
    const now = new Date();
    expect(rows.map((row) => row.relname)).toEqual(
      [0, 1, 2, 3, 4, 5].map((w) => `task_instance_${weekOf(now, w).name}`),
    );
    await Promise.all([ensurePartitions(database.pool), ensurePartitions(database.pool)]);
  });

  it('has a partition for a run that is born now', async () => {
    const { rows } = await database.pool.query<{ id: number; partition: string }>(
      `with i as (insert into xcom (run_id, task_index, map_index, key, value) values (next_run_id(), 0, -1, 'k', '1') returning tableoid::regclass::text as partition, run_id as id) select * from i`,
    );
    expect(rows[0]?.partition).toBe(`xcom_${weekOf(new Date()).name}`);
    expect(Number.isSafeInteger(rows[0]?.id)).toBe(true);
  });
});

describe('weekOf', () => {
  it('begins on Monday in UTC and is seven days of run ids long', () => {
    expect(weekOf(new Date('2026-01-05T00:00:00Z')).name).toBe('20260105');
    expect(weekOf(new Date('2026-01-11T23:59:59Z')).name).toBe('20260105');
    expect(weekOf(new Date('2026-01-11T23:59:59Z'), 1).name).toBe('20260112');
    const week = weekOf(new Date('2026-01-05T00:00:00Z'));
    expect(BigInt(week.to) - BigInt(week.from)).toBe(7n << 36n);
  });
});
