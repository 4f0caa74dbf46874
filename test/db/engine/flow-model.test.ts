/**
 * Trigger rules × mapping × branches × setups × retries × clears, in any combination: each event and every row is held against a
 * reference that reads the spec anew each time (db/replay/flow-rules.ts, through the checker).
 */
import fc from 'fast-check';
import { afterAll, expect, it } from 'vitest';
import type { Dispatch, Json, TaskReport } from '../../../sdk/protocol.ts';
import { validateDagSpec } from '../../../sdk/validate-dag-spec.ts';
import type { EditAction } from '../../../db/engine/edit-run.ts';
import { checkRuns } from '../../helpers/check-runs.ts';
import { createTestDatabase } from '../../helpers/database.ts';
import { createTestEngine, reportOf } from '../../helpers/engine.ts';
import { randomFlow } from '../../helpers/random-flow.ts';

const database = await createTestDatabase();
const { pool } = database;
const engine = createTestEngine(database);
const workerId = await engine.worker();
afterAll(() => engine.stop());
let runs = 0;

const result = fc.oneof<fc.Arbitrary<Json>[]>(
  fc.constant(null),
  fc.array(fc.nat(9), { maxLength: 3 }),
  fc.constant({ a: 1, b: 2 }),
  fc.constant(7),
);
const move = fc.record({
  outcome: fc.constantFrom('success', 'success', 'success', 'failed', 'skipped', 'released'),
  result,
  /** Which of its downstreams a branch leaves aside; undefined: it is none. */
  branch: fc.option(fc.record({ keep: fc.nat(7), skipAll: fc.boolean() }), { freq: 6 }),
  /** Reports that go out together. */
  together: fc.integer({ min: 1, max: 4 }),
});
const hand = fc.record({
  after: fc.nat(25),
  action: fc.constantFrom<EditAction | 'cancel' | 'time out'>(
    ...(['clear', 'clear', 'clear', 'clear', 'success', 'failed', 'skipped'] as const),
    ...(['cancel', 'time out'] as const),
  ),
  task: fc.nat(20),
  mapIndexes: fc.option(fc.uniqueArray(fc.nat(3), { minLength: 1 }), { freq: 2 }),
  upstream: fc.boolean(),
  downstream: fc.boolean(),
  onlyFailed: fc.boolean(),
});
const TIMED_OUT = {
  as: 'failed',
  rest: 'skipped',
  cause: 'run_timeout',
  actor: 'scheduler',
  reason: 'Too long.',
} as const;
type Move = { outcome: string; result: Json; branch: { keep: number; skipAll: boolean } | null; together: number };

it('any flow comes to what its rules say, whatever happens on the way', async () => {
  const scenario = fc.record({
    flow: randomFlow(8),
    moves: fc.array(move, { minLength: 30, maxLength: 30 }),
    hands: fc.array(hand, { maxLength: 3 }),
  });
  await fc.assert(
    fc.asyncProperty(scenario, async ({ flow, moves, hands }) => {
      const queue = `flow_${++runs}`;
      const defaults = { queue };
      const validated = validateDagSpec({ dagId: queue, ...flow, defaults });
      // What the generator makes that no DAG may be is none of ours
      fc.pre(validated.ok);
      if (!validated.ok) return;
      const { spec } = validated;
      const { dagId } = await engine.deploy(spec);
      const [run] = await engine.createRuns([{ dagId, kind: 'manual' }]);
      const runId = run!.runId;
      let done = 0;
      const left = [...hands].sort((a, b) => a.after - b.after);
      const open: Dispatch[] = [];
      for (;;) {
        open.push(...(await engine.claim({ workerId, queues: [queue], limit: 100 })));
        if (open.length === 0 && (await wake(runId))) continue;
        const due = left[0];
        if (due && (open.length === 0 || due.after <= done)) {
          left.shift();
          const { after: _, task, action, ...rest } = due;
          const taskIds = [spec.tasks[task % spec.tasks.length]!.taskId];
          if (action === 'cancel') await engine.cancelRun(runId, 'ann');
          else if (action === 'time out') await engine.endRun({ runId, ...TIMED_OUT });
          else await engine.editTasks({ runId, actor: 'ann', taskIds, action, ...rest });
          const { rows } = await pool.query<{ dispatch_id: string }>(
            `select dispatch_id from task_instance where run_id = $1 and state = 'running'`,
            [runId],
          );
          const current = new Set(rows.map((row) => row.dispatch_id));
          open.splice(0, open.length, ...open.filter(({ dispatchId }) => current.has(dispatchId.split('.')[3]!)));
          await checkRuns(database, { runIds: [runId] });
          continue;
        }
        if (open.length === 0) break;
        const first: Move = moves[done % moves.length]!;
        const batch = open.splice(0, first.together);
        const reports = batch.map((dispatch) => reportFor(dispatch, moves[done++ % moves.length]!, spec.tasks));
        const { dispatches } = await engine.report({ workerId, reports, claim: { queues: [queue], limit: 2 } });
        open.push(...dispatches);
      }
      await checkRuns(database, { runIds: [runId], finished: true });
      expect(engine.errors).toEqual([]);
    }),
    { numRuns: 60 },
  );
}, 180_000);

function reportFor(
  dispatch: Dispatch,
  { outcome, result, branch }: Move,
  tasks: readonly { taskId: string; upstream: string[] }[],
): TaskReport {
  if (outcome !== 'success') return reportOf(dispatch, outcome as 'failed');
  const below = tasks.filter((task) => task.upstream.includes(dispatch.taskId)).map(({ taskId }) => taskId);
  return reportOf(dispatch, 'success', {
    ...(result !== null && { xcoms: { return_value: result } }),
    ...(branch && { branch: below.filter((_, i) => (branch.keep >> i) % 2 === 1), skipAll: branch.skipAll }),
  });
}

async function wake(runId: number): Promise<boolean> {
  const { rows } = await pool.query<{ task_index: number; map_index: number }>(
    'select task_index, map_index from task_timer where run_id = $1',
    [runId],
  );
  if (rows.length === 0) return false;
  await engine.wakeTasks(rows.map((row) => ({ runId, taskIndex: row.task_index, mapIndex: row.map_index })));
  return true;
}
