import { afterAll, expect, it } from 'vitest';
import { checkRuns } from '../../helpers/check-runs.ts';
import { createTestDatabase } from '../../helpers/database.ts';
import { createTestEngine, dagOf } from '../../helpers/engine.ts';
import { meet } from '../../helpers/gate.ts';
import { createLimitedRuns } from '../../helpers/limited-runs.ts';

const database = await createTestDatabase();
const engines = [createTestEngine(database), createTestEngine(database)] as const;
const workerId = await engines[0].worker();
const { setPool, start, claim, end, becomes } = createLimitedRuns(database, engines[0], workerId);
afterAll(() => Promise.all(engines.map((engine) => engine.stop())));

/** Reads pass, writes stand. */
const writesOf = (table: string) => ({ text: `lock table ${table} in share mode`, values: [] });
const dagIn = async (name: string, pool: string) => (await engines[0].deploy(dagOf(name, { a: { pool } }))).dagId;

it('two engines that ask for the last slot at once get it once', async () => {
  await setPool('last', 1);
  const [one, two] = [await dagIn('last_1', 'last'), await dagIn('last_2', 'last')];
  await meet(database.pool, writesOf('held_slot'), [
    () => engines[0].createRuns([{ dagId: one, kind: 'manual' }]),
    () => engines[1].createRuns([{ dagId: two, kind: 'manual' }]),
  ]);
  const { rows } = await database.pool.query(`select sum(slots)::int as held from held_slot where gate = 'pool:last'`);
  expect(rows).toEqual([{ held: 1 }]);
  await checkRuns(database);
});

it('who comes to wait while another engine gives a slot back is let in', async () => {
  await setPool('handed', 1);
  const [holder] = await start(dagOf('handed_1', { a: { pool: 'handed' } }));
  const dispatches = await claim();
  const dagId = await dagIn('handed_2', 'handed');
  const [[run]] = await meet(database.pool, writesOf('waiting_gate'), [
    () => engines[1].createRuns([{ dagId, kind: 'manual' }]),
    () => end(dispatches.filter((dispatch) => dispatch.run.runId === String(holder))),
  ]);
  await becomes(run!.runId, { a: 'queued' });
  await checkRuns(database);
});
