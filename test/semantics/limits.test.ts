import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { DagSpec } from '#sdk/dag-spec.ts';
import { validateDagSpec } from '#sdk/validate-dag-spec.ts';
import { checkRuns } from '../helpers/check-runs.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { createTestEngine, dagOf } from '../helpers/engine.ts';
import { createLimitedRuns, names } from '../helpers/limited-runs.ts';

const database = await createTestDatabase();
const { pool } = database;
const engine = createTestEngine(database);
const { start, claim, end, becomes, drain } = createLimitedRuns(database, engine, await engine.worker());
afterAll(() => engine.stop());
afterEach(async () => {
  await checkRuns(database);
  const { rows } = await pool.query<{ id: number }>(`select id from dag_run where ended_at is null`);
  for (const { id } of rows) await engine.cancelRun(id, 'test');
  await checkRuns(database);
  expect((await pool.query('select from held_slot union all select from waiting_gate')).rows).toEqual([]);
  expect(engine.errors).toEqual([]);
});

describe('maxActiveTis', () => {
  it('lets as many instances of a task be active in all runs together', async () => {
    const runs = await start(dagOf('tis', { a: { maxActiveTis: 2 }, b: [] }), null, null, null);
    await becomes(runs[1]!, { a: 'queued', b: 'queued' });
    await becomes(runs[2]!, { a: 'scheduled', b: 'queued' });
  });

  it('lets the oldest run go on when an instance ends', async () => {
    const runs = await start(dagOf('tis_next', { a: { maxActiveTis: 1 } }), null, null, null);
    await end(await claim());
    await becomes(runs[1]!, { a: 'queued' });
    await becomes(runs[2]!, { a: 'scheduled' });
  });

  it('counts tasks of one name in other DAGs apart', async () => {
    const [one] = await start(dagOf('apart_1', { a: { maxActiveTis: 1 } }));
    const [two] = await start(dagOf('apart_2', { a: { maxActiveTis: 1 } }));
    await becomes(one!, { a: 'queued' });
    await becomes(two!, { a: 'queued' });
  });
});

describe('maxActiveTasksPerDag', () => {
  it('lets as many tasks of a DAG be active in all runs together', async () => {
    const runs = await start(dagOf('per_dag', { a: [], b: [] }, { maxActiveTasksPerDag: 3 }), null, null);
    await becomes(runs[0]!, { a: 'queued', b: 'queued' });
    await becomes(runs[1]!, { a: 'queued', b: 'scheduled' });
  });

  it('does not count empty tasks', async () => {
    const [run] = await start(
      dagOf(
        'per_dag_empty',
        { a: { kind: 'empty' }, b: { kind: 'empty' }, c: ['a', 'b'] },
        { maxActiveTasksPerDag: 1 },
      ),
    );
    await becomes(run!, { a: 'success', b: 'success', c: 'queued' });
  });

  it('lets every run end, one task after the other', async () => {
    const runs = await start(dagOf('per_dag_all', { a: [], b: ['a'] }, { maxActiveTasksPerDag: 1 }), null, null);
    expect((await drain(runs)).sort()).toEqual(['0.a', '0.b', '1.a', '1.b']);
  });
});

/** A DAG of one task that runs over so many items. */
const mapped = (dagId: string, items: number, options: object): DagSpec => {
  const over = { kind: 'product', axes: { x: { kind: 'literal', items: Array.from({ length: items }, (_, i) => i) } } };
  const each = { taskId: 'each', kind: 'bash', command: 'true', map: { over }, ...options };
  const checked = validateDagSpec({ dagId, maxActiveTasks: 1000, tasks: [each] });
  if (!checked.ok) throw new Error(JSON.stringify(checked.issues));
  return checked.spec;
};
/** How many instances of the run are in each state. */
async function countStates(runId: number): Promise<Record<string, number>> {
  const { rows } = await pool.query<{ state: string; n: number }>(
    `select state, count(*)::int as n from task_instance where run_id = $1 group by state`,
    [runId],
  );
  return Object.fromEntries(rows.map(({ state, n }) => [state, n]));
}

describe('maxActiveTisPerRun', () => {
  it('lets as many instances of a mapped task be active in one run, in each run apart', async () => {
    const runs = await start(mapped('per_run', 5, { maxActiveTisPerRun: 2 }), null, null);
    for (const runId of runs) expect(await countStates(runId)).toEqual({ queued: 2, scheduled: 3 });
    const [first] = await claim(1);
    await end([first!]);
    expect(await countStates(runs[0]!)).toEqual({ success: 1, queued: 2, scheduled: 2 });
  });

  it('and maxActiveTis both hold', async () => {
    const runs = await start(mapped('per_run_and_all', 5, { maxActiveTisPerRun: 2, maxActiveTis: 3 }), null, null);
    expect(await countStates(runs[0]!)).toEqual({ queued: 2, scheduled: 3 });
    expect(await countStates(runs[1]!)).toEqual({ queued: 1, scheduled: 4 });
  });

  it('lets every instance have its turn, in the order of the items', async () => {
    const [run] = await start(mapped('per_run_order', 7, { maxActiveTisPerRun: 2 }));
    const order: number[] = [];
    for (let dispatches = await claim(); dispatches.length > 0; dispatches = await claim()) {
      order.push(...dispatches.map((dispatch) => dispatch.mapIndex));
      await end(dispatches);
    }
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(await countStates(run!)).toEqual({ success: 7 });
  });

  it('waits with as many instances as there are in one row of the line, however many they are', async () => {
    const [run] = await start(mapped('one_row', 900, { maxActiveTisPerRun: 3 }));
    expect(await countStates(run!)).toEqual({ queued: 3, scheduled: 897 });
    const { rows } = await pool.query('select gate from waiting_gate');
    expect(rows).toEqual([{ gate: `run:${run}:each` }]);
  });
});

describe('maxActiveTasks', () => {
  it('and limits of tasks: a task that a limit holds back leaves its place in the run to others', async () => {
    const runs = await start(
      dagOf('places', { a: { maxActiveTis: 1, priority: 9 }, b: [], c: [] }, { maxActiveTasks: 2 }),
      ...[null, null],
    );
    await becomes(runs[0]!, { a: 'queued', b: 'queued', c: 'scheduled' });
    await becomes(runs[1]!, { a: 'scheduled', b: 'queued', c: 'queued' });
  });
});

/** As if so many seconds had passed. */
const letPass = async (seconds: number) => {
  await pool.query(`update rate_bucket set at = at - $1 * interval '1 s'`, [seconds]);
  await pool.query(`update gate_timer set due_at = due_at - $1 * interval '1 s'`, [seconds]);
  const { rows } = await pool.query<{ gate: string }>(
    `delete from gate_timer where due_at <= clock_timestamp() + interval '1 ms' returning gate`,
  );
  if (rows.length > 0) await engine.wakeGates(rows.map((row) => row.gate));
};

describe('a rate limit', () => {
  const rate = (more: object = {}) => ({ rateLimit: { limit: 2, per: 3600, key: [], name: null, ...more } });

  it('lets as many instances start at once as it allows in its time, and the others wait', async () => {
    const runs = await start(dagOf('rate', { a: rate() }), null, null, null);
    await becomes(runs[1]!, { a: 'queued' });
    await becomes(runs[2]!, { a: 'scheduled' });
  });

  it('does not care how soon they end', async () => {
    const runs = await start(dagOf('rate_ended', { a: rate() }), null, null, null);
    await end(await claim());
    await becomes(runs[0]!, { a: 'success' });
    await becomes(runs[2]!, { a: 'scheduled' });
  });

  it('gives a token back for each part of its time, and sets a timer for who waits', async () => {
    const runs = await start(dagOf('rate_time', { a: rate() }), null, null, null, null);
    await letPass(1700);
    await becomes(runs[2]!, { a: 'scheduled' });
    await letPass(101);
    await becomes(runs[2]!, { a: 'queued' });
    await becomes(runs[3]!, { a: 'scheduled' });
    await letPass(1800);
    await becomes(runs[3]!, { a: 'queued' });
  });

  it('may be told apart by what runs are about', async () => {
    const key = ['conf.site'];
    const runs = await start(dagOf('rate_key', { a: rate({ limit: 1, key }) }), { site: 1 }, { site: 1 }, { site: 2 });
    await becomes(runs[1]!, { a: 'scheduled' });
    await becomes(runs[2]!, { a: 'queued' });
  });

  it('of a name is shared by tasks and DAGs', async () => {
    const shared = rate({ limit: 1, name: 'github' });
    const [one] = await start(dagOf('shared_1', { a: shared }));
    const [two] = await start(dagOf('shared_2', { b: shared }));
    await becomes(one!, { a: 'queued' });
    await becomes(two!, { b: 'scheduled' });
  });

  it('is asked again for a further try, not for a task that was handed back', async () => {
    const [run] = await start(dagOf('rate_retry', { a: { ...rate({ limit: 1 }), retries: 1 } }));
    await end(await claim(), 'released');
    await end(await claim(), 'failed');
    await engine.wakeTasks([{ runId: run!, taskIndex: 0, mapIndex: -1 }]);
    await becomes(run!, { a: 'scheduled' });
    await letPass(3600);
    await becomes(run!, { a: 'queued' });
  });

  it('spends nothing on a task that something else holds back', async () => {
    const spec = dagOf('rate_unspent', { a: { ...rate({ limit: 2 }), maxActiveTis: 1 } });
    const runs = await start(spec, null, null);
    await becomes(runs[1]!, { a: 'scheduled' });
    await end(await claim());
    await becomes(runs[1]!, { a: 'queued' });
  });
});

describe('a weight rule', () => {
  const order = async (dagId: string, weightRule: 'absolute' | 'downstream' | 'upstream') => {
    const tasks = {
      short: { weightRule, priority: 2 },
      long: { weightRule },
      next: { weightRule, upstream: ['long'] },
      last: { weightRule, upstream: ['next', 'short'] },
    };
    const [run] = await start(dagOf(dagId, tasks, { maxActiveTasks: 1 }));
    return (await drain([run!], 1)).map((name) => name.slice(2));
  };

  it('absolute counts a task’s own priority', async () => {
    expect(await order('absolute', 'absolute')).toEqual(['short', 'long', 'next', 'last']);
  });

  it('downstream counts with it all that waits for the task, however far, each once', async () => {
    // short 2 + last 1; long 1 + next 1 + last 1: the same, so by their order; next then before nothing else
    expect(await order('downstream', 'downstream')).toEqual(['short', 'long', 'next', 'last']);
    const tasks = { short: {}, long: {}, next: { upstream: ['long'] }, last: { upstream: ['next'] } };
    const weighted = Object.fromEntries(
      Object.entries(tasks).map(([id, task]) => [id, { ...task, weightRule: 'downstream' as const }]),
    );
    const [run] = await start(dagOf('downstream_long', weighted, { maxActiveTasks: 1 }));
    expect((await drain([run!], 1)).map((name) => name.slice(2))).toEqual(['long', 'next', 'short', 'last']);
  });

  it('upstream counts with it all that the task waits for: what was begun goes on first', async () => {
    const tasks = { a: {}, b: {}, afterA: { upstream: ['a'] } };
    const weighted = Object.fromEntries(
      Object.entries(tasks).map(([id, task]) => [id, { ...task, weightRule: 'upstream' as const }]),
    );
    const [run] = await start(dagOf('upstream', weighted, { maxActiveTasks: 1 }));
    expect((await drain([run!], 1)).map((name) => name.slice(2))).toEqual(['a', 'afterA', 'b']);
  });

  it('goes for the line before workers, too', async () => {
    const tasks = { low: {}, high: { weightRule: 'downstream' as const }, next: { upstream: ['high'], priority: 50 } };
    await start(dagOf('line', tasks));
    expect(names(await claim(1))).toEqual(['high']);
  });
});
