import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { compileDag, type CompiledDag } from '../../../db/engine/compiled-dag.ts';
import { editRun, keyOf, totalsOf, type EditAction, type Instance } from '../../../db/engine/edit-run.ts';
import { selectInstances } from '../../../db/engine/select-instances.ts';
import type { DagSpec } from '../../../sdk/dag-spec.ts';
import { isFinishedTaskState, type TaskState } from '../../../sdk/states.ts';
import { checkRuns } from '../../helpers/check-runs.ts';
import { createTestDatabase } from '../../helpers/database.ts';
import { createTestEngine, dagOf, reportOf } from '../../helpers/engine.ts';
import { createFlowRules } from '#db/replay/flow-rules.ts';
import { randomDag } from '../../helpers/random-dag.ts';

const compile = (spec: DagSpec) => compileDag({ versionId: 1, dagId: 1, dagName: 'd', bundleHash: null, spec });
const untouched = (spec: Pick<DagSpec, 'tasks'>): Instance[] =>
  spec.tasks.map((task, taskIndex) => ({
    taskIndex,
    mapIndex: -1,
    state: 'none',
    tryNumber: 0,
    maxTries: 1,
    counts: { total: task.upstream.length, success: 0, failed: 0, upstreamFailed: 0, skipped: 0 },
  }));
/** Tasks of a DAG without mapped ones, by their index. */
const edit = (dag: CompiledDag, before: readonly Instance[], tasks: readonly number[], action: EditAction) =>
  editRun({ dag, before, targets: new Set(tasks.map((taskIndex) => keyOf({ taskIndex, mapIndex: -1 }))), action });
const states = (instances: readonly Instance[]) => instances.map(({ state }) => state);

describe('a person’s hand on a run', () => {
  const spec = dagOf('d', { a: [], b: ['a'], c: ['b'], side: [], end: { upstream: ['c', 'side'], kind: 'empty' } });
  const dag = compile(spec);
  const fresh = edit(dag, untouched(spec), [], 'clear').instances;

  it('finds the entry tasks ready', () => {
    expect(states(fresh)).toEqual(['scheduled', 'none', 'none', 'scheduled', 'none']);
  });

  it('marks a task, and what follows goes on, empty tasks to their end', () => {
    const marked = edit(dag, fresh, [2, 3], 'success');
    expect(states(marked.instances)).toEqual(['scheduled', 'none', 'success', 'success', 'success']);
    expect(marked.totals).toEqual({ remaining: 2, active: 0, failedLeaves: 0 });
  });

  it('fails a task, and what depends on it', () => {
    const { instances, totals } = edit(dag, fresh, [0], 'failed');
    expect(states(instances)).toEqual(['failed', 'upstream_failed', 'upstream_failed', 'scheduled', 'upstream_failed']);
    expect(totals.failedLeaves).toBe(1);
  });

  it('clears with fresh retries, and leaves what is not cleared as it is', () => {
    const failed = edit(dag, fresh, [0], 'failed').instances.map((one) => ({ ...one, tryNumber: 3 }));
    const { instances, changed } = edit(dag, failed, [0, 1], 'clear');
    expect(states(instances)).toEqual(['scheduled', 'none', 'upstream_failed', 'scheduled', 'upstream_failed']);
    expect(instances[0]?.maxTries).toBe(4);
    expect(changed.map(({ taskIndex }) => taskIndex)).toEqual([0, 1, 2]);
  });

  it('selects up- and downstream of what is named, not sideways', () => {
    const select = (upstream: boolean, downstream: boolean) =>
      [...selectInstances(dag, fresh, { tasks: [1], mapIndexes: null, upstream, downstream }, 'clear')].sort();
    expect(select(true, true)).toEqual(['0:-1', '1:-1', '2:-1', '4:-1']);
    expect(select(false, false)).toEqual(['1:-1']);
  });
});

const database = await createTestDatabase();
const { pool } = database;
const engine = createTestEngine(database);
const worker = await engine.worker();
afterAll(() => engine.stop());

interface Row {
  state: TaskState;
  counts: number[];
}

async function rowsOf(runId: number): Promise<Row[]> {
  const { rows } = await pool.query<Row>(
    `select state, array[up_total, up_success, up_failed, up_upstream_failed, up_skipped] as counts
     from task_instance where run_id = $1 order by task_index`,
    [runId],
  );
  return rows;
}

/** Ready, queued and running are one to a hand that does not wait. */
const ready = (state: TaskState): TaskState => (isFinishedTaskState(state) || state === 'none' ? state : 'scheduled');
const outcome = fc.constantFrom('success' as const, 'success' as const, 'failed' as const, 'skipped' as const);
let runs = 0;

async function start(spec: Omit<DagSpec, 'dagId'>): Promise<{ runId: number; queue: string; full: DagSpec }> {
  const queue = `edit_${++runs}`;
  const full = { ...spec, dagId: queue, tasks: spec.tasks.map((task) => ({ ...task, queue, retries: 0 })) };
  const { dagId } = await engine.deploy(full);
  const [run] = await engine.createRuns([{ dagId, kind: 'manual' }]);
  return { runId: run!.runId, queue, full };
}

describe('the incremental path', () => {
  it('comes to the states and counters that a computation from scratch comes to, report by report', async () => {
    await fc.assert(
      fc.asyncProperty(
        randomDag({ mostTasks: 9 }),
        fc.array(outcome, { minLength: 9, maxLength: 9 }),
        fc.nat(8),
        async (spec, how, handOver) => {
          const { runId, queue, full } = await start(spec);
          const dag = compile(full);
          let expected = edit(dag, untouched(full), [], 'clear').instances;
          const claim = (limit: number) => engine.claim({ workerId: worker, queues: [queue], limit });
          const open = await claim(20);
          for (let next = open.shift(); next; next = open.shift()) {
            const index = dag.indexOf.get(next.taskId)!;
            const { dispatches } = await engine.report({
              workerId: worker,
              reports: [reportOf(next, how[index])],
              claim: { queues: [queue], limit: handOver },
            });
            open.push(...dispatches, ...(await claim(20)));
            expected = edit(dag, expected, [index], how[index]!).instances;
            const rows = await rowsOf(runId);
            expect(rows.map((row) => ready(row.state))).toEqual(states(expected));
            expect(rows.map((row) => row.counts)).toEqual(
              expected.map(({ counts: c }) => [c.total, c.success, c.failed, c.upstreamFailed, c.skipped]),
            );
          }
          const [record] = await checkRuns(database, { runIds: [runId], finished: true });
          const totals = totalsOf(dag, expected);
          expect(record?.run).toMatchObject({
            ...totalsRow(totals),
            state: totals.failedLeaves > 0 ? 'failed' : 'success',
          });
        },
      ),
      { numRuns: 60, unbiased: true },
    );
  });

  it('counts upstreams as a count from scratch does when reports come in batches', async () => {
    await fc.assert(
      fc.asyncProperty(
        randomDag({ mostTasks: 12 }),
        fc.array(outcome, { minLength: 12, maxLength: 12 }),
        async (spec, how) => {
          const { runId, queue, full } = await start(spec);
          const dag = compile(full);
          let open = await engine.claim({ workerId: worker, queues: [queue], limit: 20 });
          while (open.length > 0) {
            const reports = open.map((dispatch) => reportOf(dispatch, how[dag.indexOf.get(dispatch.taskId)!]));
            open = (await engine.report({ workerId: worker, reports, claim: { queues: [queue], limit: 20 } }))
              .dispatches;
            const rows = await rowsOf(runId);
            const rules = createFlowRules(full);
            const known = rows.map(({ state }, taskIndex) => ({ taskIndex, mapIndex: -1, state }));
            expect(rows.map((row) => row.counts)).toEqual(known.map((one) => rules.counts(known, one)));
          }
          await checkRuns(database, { runIds: [runId], finished: true });
        },
      ),
      { numRuns: 60, unbiased: true },
    );
  });
});

const totalsRow = ({ remaining, active, failedLeaves }: ReturnType<typeof totalsOf>) => ({
  remaining,
  active,
  failed_leaves: failedLeaves,
});
