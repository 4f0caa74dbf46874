import { afterAll, describe, expect, it } from 'vitest';
import type { DagSpec } from '#sdk/dag-spec.ts';
import { setDagPaused } from '#db/queries/dag.ts';
import { createDueRuns } from '#server/scheduler/create-due-runs.ts';
import { createTestDatabase } from '../../helpers/database.ts';
import { createTestEngine, dagOf } from '../../helpers/engine.ts';

const database = await createTestDatabase();
const { db, pool } = database;
const engine = createTestEngine(database);
const other = createTestEngine(database);
afterAll(() => Promise.all([engine.stop(), other.stop()]));

const DAY = 86_400_000;
const daysAgo = (n: number) => new Date(Math.floor(Date.now() / DAY) * DAY - n * DAY);
const daily: Partial<DagSpec> = { schedule: { kind: 'cron', expressions: ['@daily'] }, catchup: true };

async function runs(dagId: number): Promise<string[]> {
  const { rows } = await pool.query<{ logical_date: Date }>(
    'select logical_date from dag_run where dag_id = $1 order by logical_date',
    [dagId],
  );
  return rows.map((row) => row.logical_date.toISOString());
}

async function untilNothingIsDue(): Promise<void> {
  while ((await createDueRuns(db, engine)) === 0);
}

describe('createDueRuns', () => {
  it('catches up every slot since the start, once, however many schedulers work at it', async () => {
    const spec = dagOf('catchup', { a: [] }, { ...daily, startDate: daysAgo(5).toISOString() });
    const { dagId } = await engine.deploy(spec);
    await Promise.all(Array.from({ length: 12 }, (_, i) => createDueRuns(db, i % 2 ? engine : other)));
    await untilNothingIsDue();
    expect(await runs(dagId)).toEqual([5, 4, 3, 2, 1, 0].map((n) => daysAgo(n).toISOString()));
    const { rows } = await pool.query('select next_run_at, next_logical_date from dag where id = $1', [dagId]);
    expect(rows[0]).toEqual({ next_run_at: daysAgo(-1), next_logical_date: daysAgo(-1) });
  });

  it('creates only the newest slot without catchup', async () => {
    const { dagId } = await engine.deploy(
      dagOf('newest', { a: [] }, { ...daily, catchup: false, startDate: daysAgo(9).toISOString() }),
    );
    await untilNothingIsDue();
    expect((await runs(dagId)).length).toBeLessThanOrEqual(1);
  });

  it('creates nothing for a paused DAG, and goes on when it is un-paused', async () => {
    const { dagId } = await engine.deploy(
      dagOf('paused', { a: [] }, { ...daily, pausedOnCreation: true, startDate: daysAgo(2).toISOString() }),
    );
    await untilNothingIsDue();
    expect(await runs(dagId)).toEqual([]);
    await setDagPaused(db, dagId, false, 'test');
    await untilNothingIsDue();
    expect((await runs(dagId)).length).toBe(3);
  });

  it('holds a long catch-up back at sixteen queued runs beside the running ones', async () => {
    const { dagId } = await engine.deploy(
      dagOf('long', { a: [] }, { ...daily, maxActiveRuns: 2, startDate: daysAgo(400).toISOString() }),
    );
    await untilNothingIsDue();
    expect(await runs(dagId)).toHaveLength(18);
  });

  it('creates the runs of 10,000 DAGs that are due in the same minute within seconds', async () => {
    const count = 10_000;
    const { versionId } = await engine.deploy(
      dagOf('pattern', { a: [], b: ['a'] }, { ...daily, startDate: daysAgo(1).toISOString() }),
    );
    await pool.query(
      `insert into dag (name, version_id, max_active_runs, next_run_at, next_logical_date, next_interval_start, next_interval_end)
       select 'many_' || n, $1, 16, d, d, d, d from generate_series(1, $2) n, (select $3::timestamptz d) d`,
      [versionId, count, daysAgo(0)],
    );
    const start = performance.now();
    await untilNothingIsDue();
    const seconds = (performance.now() - start) / 1000;
    const { rows } = await pool.query<{ n: number }>(
      `select count(*)::int n from dag_run r join dag d on d.id = r.dag_id where d.name like 'many%' and r.state = 'running'`,
    );
    expect(rows[0]?.n).toBe(count);
    console.log(`10,000 due DAGs: ${seconds.toFixed(1)} s`);
  });
});
