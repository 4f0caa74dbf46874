import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { ConcurrencySpec, DagSpec } from '#sdk/dag-spec.ts';
import { checkRuns } from '../helpers/check-runs.ts';
import { createTestDatabase } from '../helpers/database.ts';
import { createTestEngine, dagOf, runStateOf } from '../helpers/engine.ts';
import { createLimitedRuns } from '../helpers/limited-runs.ts';

const database = await createTestDatabase();
const engine = createTestEngine(database);
const { start, claim, end, becomes, runBecomes, drain } = createLimitedRuns(database, engine, await engine.worker());
afterAll(() => engine.stop());
afterEach(async () => {
  await checkRuns(database);
  const { rows } = await database.pool.query<{ id: number }>(
    `select id from dag_run where ended_at is null order by id desc`,
  );
  for (const { id } of rows) await engine.cancelRun(id, 'test');
  expect(engine.errors).toEqual([]);
});

const keyed = (
  dagId: string,
  concurrency: Partial<ConcurrencySpec>,
  options: Partial<DagSpec> = {},
  tasks: Parameters<typeof dagOf>[1] = { a: [] },
) =>
  dagOf(dagId, tasks, {
    concurrency: { key: ['params.customer'], limit: 1, strategy: 'queue', ...concurrency },
    ...options,
  });
const states = (runIds: number[]) => Promise.all(runIds.map((runId) => runStateOf(database, runId)));
const [A, B, C] = [{ customer: 'a' }, { customer: 'b' }, { customer: 'c' }];

describe('a concurrency key', () => {
  it('lets as many runs of each value run as its limit says', async () => {
    const runs = await start(keyed('per_value', { limit: 2 }), A, A, A, B);
    expect(await states(runs)).toEqual(['running', 'running', 'queued', 'running']);
  });

  it('starts the next run of a value when one ends', async () => {
    const runs = await start(keyed('next_of_value', {}), A, A);
    await end(await claim());
    await runBecomes(runs[1]!, 'running');
    expect(await states(runs)).toEqual(['success', 'running']);
  });

  it('takes a value that the run does not give from the defaults of the params', async () => {
    const params = { type: 'object', properties: { customer: { default: 'a' } } };
    const runs = await start(keyed('defaults', {}, { params }), null, A, B);
    expect(await states(runs)).toEqual(['running', 'queued', 'running']);
  });

  it('counts runs without a value together', async () => {
    const runs = await start(keyed('without', {}), null, { other: 1 }, A);
    expect(await states(runs)).toEqual(['running', 'queued', 'running']);
  });

  it('may be of several values, deep in params and conf', async () => {
    const key = ['params.customer', 'conf.at.region'];
    const eu = { customer: 'a', at: { region: 'eu' } };
    const runs = await start(keyed('several', { key }), eu, eu, { customer: 'a', at: { region: 'us' } });
    expect(await states(runs)).toEqual(['running', 'queued', 'running']);
  });

  it('tells a number from the text of it', async () => {
    const runs = await start(keyed('types', {}), { customer: 1 }, { customer: '1' });
    expect(await states(runs)).toEqual(['running', 'running']);
  });

  it('may be a long value', async () => {
    const long = { customer: 'x'.repeat(10_000) };
    const runs = await start(keyed('long', {}), long, long, { customer: `${'x'.repeat(9_999)}y` });
    expect(await states(runs)).toEqual(['running', 'queued', 'running']);
  });

  it('and the limit of the DAG both hold', async () => {
    const runs = await start(keyed('both', {}, { maxActiveRuns: 2 }), A, A, B, C);
    expect(await states(runs)).toEqual(['running', 'queued', 'running', 'queued']);
  });

  it('holds for a run that is cleared', async () => {
    const runs = await start(keyed('cleared', {}), A, A);
    await end(await claim());
    await runBecomes(runs[1]!, 'running');
    await engine.editTasks({ runId: runs[0]!, action: 'clear', taskIds: ['a'], actor: 'test' });
    expect(await states(runs)).toEqual(['queued', 'running']);
  });
});

describe('the strategy', () => {
  it('queue starts the oldest that may', async () => {
    const runs = await start(keyed('queue', {}, { maxActiveRuns: 1 }), A, A, A, B, B);
    expect(await drain(runs)).toEqual(['0.a', '1.a', '2.a', '3.a', '4.a']);
  });

  it('round_robin lets the values take turns', async () => {
    const runs = await start(keyed('turns', { strategy: 'round_robin' }, { maxActiveRuns: 1 }), A, A, A, B, B, C);
    expect(await drain(runs)).toEqual(['0.a', '3.a', '5.a', '1.a', '4.a', '2.a']);
  });

  it('round_robin fills free places with the values that have fewest', async () => {
    const runs = await start(
      keyed('fewest', { strategy: 'round_robin', limit: 9 }, { maxActiveRuns: 2, pausedOnCreation: true }),
      ...[A, A, A, B],
    );
    await database.pool.query(`update dag set paused = false where name = 'fewest'`);
    const { rows } = await database.pool.query<{ id: number }>(`select id from dag where name = 'fewest'`);
    await engine.startRuns([rows[0]!.id]);
    expect(await states(runs)).toEqual(['running', 'queued', 'queued', 'running']);
  });

  it('cancel_in_progress ends the run that is under way for the newer one', async () => {
    const runs = await start(keyed('replace', { strategy: 'cancel_in_progress' }), A, B, A);
    await runBecomes(runs[0]!, 'cancelled');
    await runBecomes(runs[2]!, 'running');
    expect(await states(runs)).toEqual(['cancelled', 'running', 'running']);
    const { rows } = await database.pool.query(`select end_reason from dag_run where id = $1`, [runs[0]]);
    expect(rows[0]!.end_reason).toBe(`Run ${runs[2]} of the same concurrency key ["a"] has taken its place.`);
  });

  it('cancel_in_progress leaves only the newest of those that wait', async () => {
    const runs = await start(
      keyed('newest_only', { strategy: 'cancel_in_progress' }, { pausedOnCreation: true }),
      ...[A, A, A],
    );
    await runBecomes(runs[1]!, 'cancelled');
    await runBecomes(runs[0]!, 'cancelled');
    expect(await states(runs)).toEqual(['cancelled', 'cancelled', 'queued']);
  });

  it('cancel_newest ends a run that finds its value taken', async () => {
    const runs = await start(keyed('refuse', { strategy: 'cancel_newest' }), A, A, B);
    await runBecomes(runs[1]!, 'cancelled');
    expect(await states(runs)).toEqual(['running', 'cancelled', 'running']);
  });

  it('is caught up with by the review, where whoever created the runs died', async () => {
    const spec = keyed('caught_up', {}, { pausedOnCreation: true });
    const runs = await start(spec, A, A);
    await database.pool.query(`update dag set concurrency_strategy = 'cancel_newest' where name = 'caught_up'`);
    await engine.reviewGates();
    expect(await states(runs)).toEqual(['queued', 'cancelled']);
  });
});

describe('the concurrency key of a task', () => {
  const limited = { concurrencyKey: { key: ['params.customer'], limit: 1 } };
  it('lets as many of its instances run for each value, in all runs together', async () => {
    const runs = await start(dagOf('task_key', { a: [], load: { upstream: ['a'], ...limited } }), A, A, B);
    await end(await claim());
    await becomes(runs[0]!, { a: 'success', load: 'queued' });
    await becomes(runs[1]!, { a: 'success', load: 'scheduled' });
    await becomes(runs[2]!, { a: 'success', load: 'queued' });
  });

  it('lets the next instance of the value start when one ends', async () => {
    const runs = await start(dagOf('task_key_next', { load: limited }), A, A);
    await end(await claim(), 'failed');
    await becomes(runs[1]!, { load: 'queued' });
  });
});
