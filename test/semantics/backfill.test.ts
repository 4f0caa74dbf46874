/** A range of dates that is run again, or for the first time. Semantics: Airflow's backfill. */
import { describe, expect, it } from 'vitest';
import { decideDate, type Reprocess } from '../../sdk/backfill.ts';
import { runsBetween } from '../../sdk/timetable.ts';
import {
  createBackfill,
  findBackfills,
  readProgress,
  setBackfillState,
  type NewBackfill,
} from '../../db/queries/backfill.ts';
import { runBackfills } from '../../server/scheduler/run-backfills.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { createSemantics, type DeployedDag, type Script } from '../helpers/semantics.ts';

const database = await createTestDatabase();
const { db, pool } = database;
const { deploy, engine, given, work } = await createSemantics(database);

const daily = (options: { [field: string]: unknown } = {}) =>
  deploy({ extract: [], load: ['extract'] }, { schedule: '@daily', startDate: '2026-01-01', ...options });

async function backfill(dag: DeployedDag, more: Partial<NewBackfill> = {}): Promise<number> {
  const [from, to] = [new Date('2026-03-01'), new Date('2026-03-04')];
  const { rows } = await pool.query<{ version_id: number }>('select version_id from dag where id = $1', [dag.dagId]);
  const row = await createBackfill(db, {
    dagId: dag.dagId,
    versionId: rows[0]!.version_id,
    from,
    to,
    reprocess: 'none',
    maxActiveRuns: 2,
    backwards: false,
    conf: null,
    note: null,
    dates: runsBetween(dag.spec, from, to, 100),
    actor: 'ann',
    ...more,
  });
  return row.id;
}

const pass = async () => {
  while (await runBackfills(db, engine));
};

interface RunRow {
  id: number;
  state: string;
  day: string;
}
async function runsOf(dag: DeployedDag): Promise<RunRow[]> {
  const { rows } = await pool.query<RunRow>(
    `select id, state, to_char(logical_date at time zone 'UTC', 'MM-DD') as day from dag_run where dag_id = $1 order by id`,
    [dag.dagId],
  );
  return rows;
}
const days = (runs: RunRow[], state?: string) =>
  runs.filter((run) => !state || run.state === state).map(({ day }) => day);

/** Works all runs under way to their end. */
async function workAll(dag: DeployedDag, script: Script = {}): Promise<void> {
  for (const run of (await runsOf(dag)).filter(({ state }) => state === 'running')) await work(run.id, script);
}
async function finish(dag: DeployedDag, id: number, script: Script = {}): Promise<void> {
  for (let look = 0; look < 50; look++) {
    await pass();
    if ((await findBackfills(db, [id]))[0]?.ended_at) return;
    await workAll(dag, script);
  }
  throw new Error(`Backfill ${id} does not end: ${JSON.stringify((await readProgress(db, [id])).get(id))}`);
}
const stateOf = async (id: number) => (await findBackfills(db, [id]))[0]?.state;

describe('a backfill', () => {
  it('runs each date of the range once, in order, with its own logical date', async () => {
    const dag = await daily();
    const id = await backfill(dag);
    await finish(dag, id);
    expect(days(await runsOf(dag), 'success')).toEqual(['03-01', '03-02', '03-03', '03-04']);
    expect(await stateOf(id)).toBe('completed');
    expect((await readProgress(db, [id])).get(id)).toMatchObject({ total: 4, success: 4, pending: 0 });
  });

  it('has no more runs under way than it may have', async () => {
    const dag = await daily();
    await backfill(dag);
    await pass();
    expect(days(await runsOf(dag))).toEqual(['03-01', '03-02']);
  });

  it('is not held back by the DAG’s own limit, nor does it use it up', async () => {
    const dag = await daily({ maxActiveRuns: 1 });
    await backfill(dag);
    await pass();
    const [manual] = await engine.createRuns([{ dagId: dag.dagId, kind: 'manual' }]);
    const states = Object.fromEntries((await runsOf(dag)).map((run) => [run.id, run.state]));
    expect(Object.values(states)).toEqual(['running', 'running', 'running']);
    expect(states[manual!.runId]).toBe('running');
  });

  it('goes backwards when told to', async () => {
    const dag = await daily();
    await backfill(dag, { backwards: true });
    await pass();
    expect(days(await runsOf(dag))).toEqual(['03-04', '03-03']);
  });

  it('gives each run its conf and the version it was made with', async () => {
    const dag = await daily();
    await backfill(dag, { conf: { region: 'eu' } });
    await pass();
    await workAll(dag);
    expect(given('extract').run).toMatchObject({ kind: 'backfill', conf: { region: 'eu' } });
  });

  it('waits while the DAG is paused', async () => {
    const dag = await daily();
    await pool.query('update dag set paused = true where id = $1', [dag.dagId]);
    await backfill(dag);
    await pass();
    expect(days(await runsOf(dag), 'queued')).toEqual(['03-01', '03-02']);
  });

  it('makes no further run while it is paused, and goes on when it is not', async () => {
    const dag = await daily();
    const id = await backfill(dag);
    await pass();
    await setBackfillState(db, id, 'paused', 'ann');
    await workAll(dag);
    await pass();
    expect(days(await runsOf(dag))).toEqual(['03-01', '03-02']);
    await setBackfillState(db, id, 'running', 'ann');
    await finish(dag, id);
    expect(days(await runsOf(dag), 'success')).toHaveLength(4);
  });

  it('cancels its runs under way with itself, and no other', async () => {
    const dag = await daily();
    const [manual] = await engine.createRuns([{ dagId: dag.dagId, kind: 'manual' }]);
    const id = await backfill(dag);
    await pass();
    await setBackfillState(db, id, 'cancelled', 'ann');
    await pass();
    const runs = await runsOf(dag);
    expect(days(runs, 'cancelled')).toEqual(['03-01', '03-02']);
    expect(runs.find((run) => run.id === manual!.runId)?.state).toBe('running');
    expect(await stateOf(id)).toBe('cancelled');
    expect((await readProgress(db, [id])).get(id)).toMatchObject({ cancelled: 4, pending: 0, running: 0 });
  });

  it('cannot be resumed once it has ended', async () => {
    const dag = await daily();
    const id = await backfill(dag);
    await finish(dag, id);
    expect(await setBackfillState(db, id, 'running', 'ann')).toBe(false);
  });

  it('makes the same runs again when it was interrupted before it had noted them', async () => {
    const dag = await daily();
    const id = await backfill(dag);
    await pass();
    await pool.query('update backfill_date set run_id = null where backfill_id = $1', [id]);
    await pool.query(`update dag_run set logical_date = logical_date - interval '1 year' where dag_id = $1`, [
      dag.dagId,
    ]);
    await pass();
    expect(await runsOf(dag)).toHaveLength(2);
  });
});

describe('a date that has a run', () => {
  async function twice(first: Script, reprocess: Reprocess): Promise<string[]> {
    const dag = await daily();
    const id = await backfill(dag, { maxActiveRuns: 10 });
    await finish(dag, id, first);
    const again = await backfill(dag, { maxActiveRuns: 10, reprocess });
    await finish(dag, again);
    return days((await runsOf(dag)).slice(4));
  }

  it('is left alone', async () => expect(await twice({ load: 'failed' }, 'none')).toEqual([]));

  it('is run again when that failed and the backfill is for failed ones', async () => {
    const failsOnce = ({ run }: { run: { logicalDate: string | null } }) =>
      run.logicalDate?.startsWith('2026-03-02') ? 'failed' : 'success';
    expect(await twice({ load: failsOnce }, 'failed')).toEqual(['03-02']);
  });

  it('is run again when the backfill is for completed ones', async () =>
    expect(await twice({}, 'completed')).toEqual(['03-01', '03-02', '03-03', '03-04']));

  it('is never run twice at once', async () => {
    const dag = await daily();
    await engine.createRuns([{ dagId: dag.dagId, kind: 'scheduled', logicalDate: new Date('2026-03-02') }]);
    const id = await backfill(dag, { reprocess: 'completed', maxActiveRuns: 10 });
    await pass();
    expect((await readProgress(db, [id])).get(id)).toMatchObject({ skipped: 1, running: 3 });
  });

  it.each([
    [null, 'create', 'create', 'create'],
    ['queued', 'in_flight', 'in_flight', 'in_flight'],
    ['running', 'in_flight', 'in_flight', 'in_flight'],
    ['success', 'exists', 'exists', 'rerun'],
    ['failed', 'exists', 'rerun', 'rerun'],
    ['cancelled', 'exists', 'rerun', 'rerun'],
  ] as const)('whose newest run is %s: none %s, failed %s, completed %s', (newest, none, failed, completed) => {
    expect(decideDate(newest, 'none')).toBe(none);
    expect(decideDate(newest, 'failed')).toBe(failed);
    expect(decideDate(newest, 'completed')).toBe(completed);
  });
});

describe('many backfills', () => {
  it('that have no room for more runs do not keep others from theirs', async () => {
    const busy = await daily();
    for (let i = 0; i < 21; i++) {
      const from = new Date(Date.UTC(2027, i, 1));
      const to = new Date(Date.UTC(2027, i, 3));
      await backfill(busy, { from, to, maxActiveRuns: 1, dates: runsBetween(busy.spec, from, to, 10) });
    }
    await pass();
    const dag = await daily();
    await backfill(dag);
    await pass();
    expect(days(await runsOf(dag))).toEqual(['03-01', '03-02']);
  });

  it('get past dates that need no run in one pass', async () => {
    const dag = await daily();
    await finish(dag, await backfill(dag, { maxActiveRuns: 10 }));
    const [from, to] = [new Date('2026-03-01'), new Date('2026-03-05')];
    await backfill(dag, { from, to, maxActiveRuns: 1, dates: runsBetween(dag.spec, from, to, 10) });
    await runBackfills(db, engine);
    expect(days(await runsOf(dag), 'running')).toEqual(['03-05']);
  });
});
