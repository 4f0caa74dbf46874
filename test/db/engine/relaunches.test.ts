import { afterAll, afterEach, expect, describe, it } from 'vitest';
import { MOST_RELAUNCHES } from '#db/engine/relaunches.ts';
import type { Dispatch } from '#sdk/protocol.ts';
import { checkRuns, type Answered } from '../../helpers/check-runs.ts';
import { createTestDatabase } from '../../helpers/database.ts';
import { createTestEngine, dagOf, reportOf, runStateOf, statesOf } from '../../helpers/engine.ts';
import { makeRetriesDue, missAnswers } from '../../helpers/engine-model.ts';

const database = await createTestDatabase();
const engine = createTestEngine(database);
const worker = await engine.worker();
let answers: Answered[] = [];
afterEach(async () => {
  await checkRuns(database, { answers });
  answers = [];
});
afterAll(() => engine.stop());

async function start(name: string, retries: number): Promise<number> {
  const { dagId } = await engine.deploy(dagOf(name, { a: { retries }, b: ['a'] }));
  const [run] = await engine.createRuns([{ dagId, kind: 'manual' }]);
  return run!.runId;
}
const claim = () => engine.claim({ workerId: worker, queues: ['default'], limit: 1 });
async function report(dispatch: Dispatch, outcome: 'released' | 'success'): Promise<void> {
  const message = outcome === 'released' ? 'Not started.' : null;
  const told = {
    ...reportOf(dispatch, outcome),
    ...(outcome === 'released' ? { cause: 'interrupted' as const } : {}),
    message,
  };
  const response = await engine.report({ workerId: worker, reports: [told] });
  answers.push({ dispatchId: dispatch.dispatchId, outcome, answer: response.answers[0]! });
  expect(response.answers).toEqual(['ACCEPTED']);
}
/** Claims and hands back, over and over. */
async function handBack(times: number, tryNumber: number): Promise<void> {
  for (let n = 0; n < times; n++) {
    const [dispatch] = await claim();
    expect(dispatch).toMatchObject({ taskId: 'a', tryNumber });
    await report(dispatch!, 'released');
  }
}
const tries = async (runId: number) =>
  (
    await database.pool.query(
      'select try_number, outcome, cause, message, evidence from task_try where run_id = $1 order by task_index, try_number',
      [runId],
    )
  ).rows;
const exhausted = (lastReason: string) => ({
  outcome: 'failed',
  cause: 'dispatch_exhausted',
  message: `It was handed back ${MOST_RELAUNCHES} times before its code started. The last time: ${lastReason}`,
  evidence: { handedBack: MOST_RELAUNCHES, lastReason },
});

describe('a dispatch that is handed back before its code starts', () => {
  it('is free until the last time that is allowed, and then ends the try', async () => {
    const runId = await start('ends', 0);
    await handBack(MOST_RELAUNCHES, 1);
    expect(await claim()).toEqual([]);
    expect(await statesOf(database, runId)).toEqual({ a: 'failed', b: 'upstream_failed' });
    expect(await runStateOf(database, runId)).toBe('failed');
    expect(await tries(runId)).toEqual([{ try_number: 1, ...exhausted('Not started.') }]);
  });

  it('leaves no trace when it starts at last', async () => {
    const runId = await start('starts', 0);
    await handBack(MOST_RELAUNCHES - 1, 1);
    await report((await claim())[0]!, 'success');
    await report((await claim())[0]!, 'success');
    expect((await tries(runId)).map((one) => one.cause)).toEqual(['ok', 'ok']);
  });

  it('is retried as other losses are, and the next try counts afresh', async () => {
    const runId = await start('retries', 1);
    await handBack(MOST_RELAUNCHES, 1);
    expect(await statesOf(database, runId)).toEqual({ a: 'up_for_retry', b: 'none' });
    await engine.wakeTasks(await makeRetriesDue(database, [runId]));
    await handBack(MOST_RELAUNCHES, 2);
    expect((await tries(runId)).map((one) => `${one.try_number} ${one.cause}`)).toEqual([
      '1 dispatch_exhausted',
      '2 dispatch_exhausted',
    ]);
    await engine.editTasks({ runId, action: 'clear', taskIds: ['a'], downstream: true, actor: 'anna' });
    await handBack(1, 3);
    await engine.cancelRun(runId, 'test');
  });

  it('that never reaches its worker ends so too', async () => {
    const runId = await start('undelivered', 0);
    for (let n = 1; n <= MOST_RELAUNCHES; n++) {
      await missAnswers({ database }, await claim());
      expect(await engine.relaunchUndelivered()).toBe(1);
    }
    expect(await tries(runId)).toEqual([
      { try_number: 1, ...exhausted('The answer that carried it never reached its worker.') },
    ]);
    expect(await engine.relaunchUndelivered()).toBe(0);
  });

  it('is told as recorded when the last hand-back is sent again', async () => {
    await start('again', 0);
    await handBack(MOST_RELAUNCHES - 1, 1);
    const [dispatch] = await claim();
    const again = reportOf(dispatch!, 'released');
    const twice = await engine.report({ workerId: worker, reports: [again, again] });
    expect(twice.answers).toEqual(['ACCEPTED', 'DUPLICATE']);
    expect((await engine.report({ workerId: worker, reports: [again] })).answers).toEqual(['DUPLICATE']);
  });
});
