/** Every state of a task instance against everything that may be asked of it: a legal move is made, an illegal one leaves no trace. */
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { TASK_STATES, type TaskState } from '../../../sdk/states.ts';
import { ADMIT_TASKS } from '../../../db/queries/task-transitions/admit-tasks.ts';
import { createTestDatabase } from '../../helpers/database.ts';
import { createTestEngine, dagOf, reportOf } from '../../helpers/engine.ts';

const database = await createTestDatabase();
const { pool } = database;
const engine = createTestEngine(database);
const worker = await engine.worker();
const staged: number[] = [];
/** What one case leaves running is nothing to the next. */
afterEach(async () => {
  for (const runId of staged.splice(0)) await engine.cancelRun(runId, 'test');
});
afterAll(() => engine.stop());

const LIVE: readonly TaskState[] = ['scheduled', 'queued', 'running', 'up_for_retry', 'up_for_reschedule', 'deferred'];
const UUID = '11111111-1111-4111-8111-111111111111';

/** The run that a task instance stands in: parent → task → child, and `other`, which keeps the run going. */
interface Scene {
  runId: number;
  queue: string;
  /** Dispatch id of the task's row, whether it runs or not. */
  dispatchId: string;
  /** Running: its finish is counted into the task. */
  parent: string;
}

const TASK = 1;
let scenes = 0;

/**
 * Puts the task into a state, as if all else had gone its way; whatever the state, it has the dispatch that reports will carry, is past
 * its deadline, and stands in all four tables: only its state can refuse a move.
 */
async function scene(state: TaskState, { retries = 0, overdue = true, system = false } = {}): Promise<Scene> {
  const name = `scene_${++scenes}`;
  const queue = system ? `@${name}` : name;
  const tasks = {
    parent: { queue },
    task: { upstream: ['parent'], queue, retries },
    child: { upstream: ['task'], queue },
    other: { queue },
  };
  const { dagId } = await engine.deploy(dagOf(name, tasks));
  const [run] = await engine.createRuns([{ dagId, kind: 'manual' }]);
  const { runId } = run!;
  staged.push(runId);
  const [parent] = await engine.claim({ workerId: worker, queues: [queue], limit: 1 });
  const deadline = `clock_timestamp() ${overdue ? '-' : '+'} interval '1 s'`;
  await pool.query(
    `update task_instance set state = $2, try_number = 1, max_tries = $3, dispatch_id = $4, queued_at = now(), started_at = now(),
       deadline_at = case when $2 = any($5::task_state[]) then ${deadline} end where run_id = $1 and task_index = ${TASK}`,
    // Queued with a dispatch is on its way to a cluster: launches.test.ts
    [runId, state, retries + 1, state === 'queued' ? null : UUID, LIVE],
  );
  await pool.query(`update dag_run set active = active + $2, remaining = remaining - $3 where id = $1`, [
    runId,
    Number(state === 'queued' || state === 'running'),
    Number(!LIVE.includes(state) && state !== 'none'),
  ]);
  await pool.query(`delete from ready_task where run_id = $1`, [runId]);
  await pool.query(`insert into ready_task (run_id, task_index, rank, queue) values ($1, ${TASK}, -1, $2)`, [
    runId,
    queue,
  ]);
  await pool.query(`insert into waiting_task (run_id, rank, task_index) values ($1, -1, ${TASK})`, [runId]);
  await pool.query(`insert into task_timer (run_id, task_index, due_at) values ($1, ${TASK}, ${deadline})`, [runId]);
  await pool.query(
    `insert into trigger_wait (run_id, task_index, dispatch_id, kind, spec, due_at) values ($1, ${TASK}, $2, 'test', '{}', 'infinity')`,
    [runId, UUID],
  );
  return { runId, queue, dispatchId: `${runId}.${TASK}.-1.${UUID}`, parent: parent!.dispatchId };
}

/** All that a move could touch. */
async function snapshot(runId: number) {
  const { rows } = await pool.query<{
    run: object;
    tasks: { state: TaskState; up_success: number }[];
    events: unknown[][][];
    tries: number;
  }>(
    `select to_jsonb(r) as run,
       (select jsonb_agg(to_jsonb(t) order by task_index) from task_instance t where run_id = r.id) as tasks,
       (select json_agg(body->'t' order by run_seq) from event where run_id = r.id) as events,
       (select count(*)::int from task_try where run_id = r.id) as tries
     from dag_run r where id = $1`,
    [runId],
  );
  return rows[0]!;
}

const report =
  (outcome: Parameters<typeof reportOf>[1], more: Parameters<typeof reportOf>[2] = {}) =>
  async ({ dispatchId }: Scene) =>
    (await engine.report({ workerId: worker, reports: [reportOf({ dispatchId }, outcome, more)] })).answers[0] ===
    'ACCEPTED';

const DEFER = { defer: { kind: 'test', spec: {}, dueAt: null, timeoutSeconds: null, watchKey: null } };

const key = ({ runId }: Scene) => ({ runId, taskIndex: TASK, mapIndex: -1 });

interface Move {
  /** From these states, to these. From no other. */
  moves: Partial<Record<TaskState, TaskState>>;
  /** True: it says that it was done. */
  ask(scene: Scene): Promise<boolean>;
  options?: { retries?: number; overdue?: boolean; system?: boolean };
  /** What else changes by it, whatever the task's state. */
  beside?: readonly string[];
}

const MOVES: Record<string, Move> = {
  'a claim': {
    moves: { queued: 'running' },
    ask: async ({ queue }) => (await engine.claim({ workerId: worker, queues: [queue], limit: 9 })).length === 1,
  },
  'a report of success': { moves: { running: 'success' }, ask: report('success') },
  'a report of failure': { moves: { running: 'failed' }, ask: report('failed') },
  'a report of failure with tries left': {
    moves: { running: 'up_for_retry' },
    ask: report('failed'),
    options: { retries: 2 },
  },
  'a report of skipping': { moves: { running: 'skipped' }, ask: report('skipped') },
  'a report of success of a task of the system': {
    moves: { running: 'success', deferred: 'success' },
    ask: report('success'),
    options: { system: true },
  },
  'a report of failure of a task of the system with tries left': {
    moves: { running: 'up_for_retry', deferred: 'up_for_retry' },
    ask: report('failed'),
    options: { system: true, retries: 1 },
  },
  'a deferral': {
    moves: { running: 'deferred' },
    ask: async (place) => {
      await pool.query('delete from trigger_wait where run_id = $1', [place.runId]);
      // It makes room, which is not what this is about
      await pool.query('delete from waiting_task where run_id = $1', [place.runId]);
      return report('deferred', DEFER)(place);
    },
    options: { system: true },
  },
  'a look that is put off': {
    moves: { running: 'up_for_reschedule' },
    ask: async (place) => {
      await pool.query('delete from waiting_task where run_id = $1', [place.runId]);
      return report('rescheduled', { afterSeconds: 60 })(place);
    },
  },
  'a dispatch handed back': { moves: { running: 'queued' }, ask: report('released') },
  'a report of another dispatch': {
    moves: {},
    ask: async ({ dispatchId }) => report('success')({ dispatchId: dispatchId.replace(/1$/, '2') } as Scene),
  },
  'a dispatch of another handed back': {
    moves: {},
    ask: async ({ dispatchId }) => report('released')({ dispatchId: dispatchId.replace(/1$/, '2') } as Scene),
  },
  'a lease that has run out': { moves: { running: 'failed' }, ask: async () => (await engine.expireLeases()) > 0 },
  'a lease that has run out with tries left': {
    moves: { running: 'up_for_retry' },
    ask: async () => (await engine.expireLeases()) > 0,
    options: { retries: 1 },
  },
  'a lease that lasts': {
    moves: {},
    ask: async () => (await engine.expireLeases()) > 0,
    options: { overdue: false },
  },
  'a retry that is due': {
    // Held back and let pass in one transaction
    moves: { up_for_retry: 'queued', up_for_reschedule: 'queued' },
    ask: async (place) => {
      await pool.query('delete from waiting_task where run_id = $1', [place.runId]);
      const before = await snapshot(place.runId);
      await engine.wakeTasks([key(place)]);
      return (await snapshot(place.runId)).events.length > before.events.length;
    },
  },
  'a retry that is not due': {
    moves: {},
    ask: async (place) => {
      await pool.query('delete from waiting_task where run_id = $1', [place.runId]);
      await engine.wakeTasks([key(place)]);
      return false;
    },
    options: { overdue: false },
  },
  'an admission': {
    moves: { scheduled: 'queued' },
    ask: async ({ runId }) => {
      const { rows } = await pool.query<{ admitted: number }>({ ...ADMIT_TASKS, values: [[runId]] });
      return rows[0]?.admitted === 1;
    },
  },
  'its last upstream': {
    moves: { none: 'queued' },
    ask: async ({ runId, parent }) => {
      await pool.query('delete from waiting_task where run_id = $1', [runId]);
      const { answers } = await engine.report({ workerId: worker, reports: [reportOf({ dispatchId: parent })] });
      expect(answers).toEqual(['ACCEPTED']);
      return (await snapshot(runId)).events.at(-1)?.some(([index]) => index === TASK) ?? false;
    },
    beside: ['parent', 'counter'],
  },
};

describe.each(Object.entries(MOVES))('%s', (_, { moves, ask, options, beside = [] }) => {
  it.each(TASK_STATES.map((from) => [from, moves[from] ?? 'no change'] as const))(
    'on a task that is %s: %s',
    async (from) => {
      const to = moves[from];
      const place = await scene(from, options);
      const before = await snapshot(place.runId);
      expect(await ask(place)).toBe(to !== undefined);
      const after = await snapshot(place.runId);
      expect(after.tasks[TASK]?.state).toBe(to ?? from);
      if (to !== undefined || beside.length > 0) return;
      expect(after).toEqual(before);
    },
  );

  if (beside.includes('counter'))
    it.each(TASK_STATES)('counts into a task that is %s', async (from) => {
      const place = await scene(from, options);
      await ask(place);
      expect((await snapshot(place.runId)).tasks[TASK]?.up_success).toBe(1);
    });
});

describe('a heartbeat', () => {
  it.each(TASK_STATES)('renews the lease of a task that runs, and nothing else: %s', async (state) => {
    const place = await scene(state);
    const before = await snapshot(place.runId);
    const { fenced } = await engine.heartbeat({ workerId: worker, dispatchIds: [place.dispatchId] });
    expect(fenced).toEqual(state === 'running' ? [] : [place.dispatchId]);
    const after = await snapshot(place.runId);
    if (state !== 'running') return expect(after).toEqual(before);
    expect(await engine.expireLeases()).toBe(0);
    expect(after.tasks[TASK]?.state).toBe('running');
  });
});

describe('the start of a run', () => {
  it.each(TASK_STATES)('queues its entry task that is %s: only if it is none', async (state) => {
    const name = `scene_${++scenes}`;
    const { dagId } = await engine.deploy(dagOf(name, { task: { queue: name } }, { pausedOnCreation: true }));
    const [run] = await engine.createRuns([{ dagId, kind: 'manual' }]);
    await pool.query('update dag set paused = false where id = $1', [dagId]);
    await pool.query(`update task_instance set state = $2, dispatch_id = $3, deadline_at = now() where run_id = $1`, [
      run!.runId,
      state,
      UUID,
    ]);
    await engine.startRuns([dagId]);
    const { tasks } = await snapshot(run!.runId);
    expect(tasks[0]?.state).toBe(state === 'none' ? 'queued' : state);
  });

  it.each(['running', 'success', 'failed', 'cancelled'])(
    'happens to queued runs only, not to one that is %s',
    async (state) => {
      const { runId } = await scene('none');
      await pool.query('update dag_run set state = $2::run_state where id = $1', [runId, state]);
      const before = await snapshot(runId);
      const { rows } = await pool.query<{ dag_id: number }>('select dag_id from dag_run where id = $1', [runId]);
      await engine.startRuns([rows[0]!.dag_id]);
      expect(await snapshot(runId)).toEqual(before);
    },
  );
});

describe('a review', () => {
  it.each(TASK_STATES)('puts back what is missing: %s', async (state) => {
    const { runId } = await scene(state);
    await pool.query('delete from ready_task where run_id = $1', [runId]);
    await pool.query('delete from waiting_task where run_id = $1', [runId]);
    await pool.query('delete from task_timer where run_id = $1', [runId]);
    await pool.query('delete from trigger_wait where run_id = $1', [runId]);
    // No room: what is held back stays where it is
    await pool.query('update dag_run set active = max_active_tasks where id = $1', [runId]);
    await engine.reviewRuns([runId]);
    const { rows } = await pool.query<{ places: string[] }>(
      `select array(select 'queued' from ready_task where run_id = $1 union all select 'scheduled' from waiting_task where run_id = $1
         union all select 'timer' from task_timer where run_id = $1) as places`,
      [runId],
    );
    const places: { [state in TaskState]?: string } = {
      queued: 'queued',
      scheduled: 'scheduled',
      up_for_retry: 'timer',
      up_for_reschedule: 'timer',
      // Nobody knows any more what it waited for: it begins its try anew
      deferred: 'scheduled',
    };
    expect(rows[0]?.places).toEqual([places[state] ?? []].flat());
    expect((await snapshot(runId)).tasks[TASK]?.state).toBe(state === 'deferred' ? 'scheduled' : state);
  });
});

describe('a person’s hand', () => {
  const isFinished = (state: TaskState) => state !== 'none' && !LIVE.includes(state);

  it.each(TASK_STATES)('cancels a task that is %s, unless it has ended', async (state) => {
    const { runId } = await scene(state);
    expect(await engine.cancelRun(runId, 'anna')).toBe('cancelled');
    const { tasks, tries } = await snapshot(runId);
    expect(tasks[TASK]?.state).toBe(isFinished(state) ? state : 'cancelled');
    // The parent's try was cut short, the task's too if it ran
    expect(tries).toBe(state === 'running' || state === 'deferred' ? 2 : 1);
  });

  it.each(TASK_STATES)('clears a task that is %s', async (state) => {
    const { runId } = await scene(state);
    expect(await engine.editTasks({ runId, action: 'clear', taskIds: ['task'], actor: 'anna' })).toHaveLength(1);
    const { tasks, tries } = await snapshot(runId);
    expect(tasks[TASK]).toMatchObject({
      state: 'none',
      dispatch_id: null,
      deadline_at: null,
      try_number: 1,
      max_tries: 2,
    });
    expect(tries).toBe(state === 'running' || state === 'deferred' ? 1 : 0);
  });

  it.each(
    TASK_STATES.flatMap((state) =>
      (['success', 'failed', 'skipped'] as const).map((action) => [state, action] as const),
    ),
  )('marks a task that is %s: %s', async (state, action) => {
    const { runId, dispatchId } = await scene(state);
    expect(await engine.editTasks({ runId, action, taskIds: ['task'], actor: 'anna' })).toHaveLength(1);
    const { tasks, tries } = await snapshot(runId);
    expect(tasks[TASK]).toMatchObject({ state: action, dispatch_id: null, deadline_at: null });
    expect(tries).toBe(state === 'running' || state === 'deferred' ? 1 : 0);
    expect((await engine.heartbeat({ workerId: worker, dispatchIds: [dispatchId] })).fenced).toHaveLength(1);
  });
});

describe('the database', () => {
  it.each(LIVE)('refuses a task that is %s without a deadline', async (state) => {
    const { runId } = await scene('none');
    const without = pool.query(`update task_instance set state = $2 where run_id = $1 and task_index = ${TASK}`, [
      runId,
      state,
    ]);
    await expect(without).rejects.toThrow(/live_deadline/);
  });

  it('refuses a task that runs without a dispatch', async () => {
    const { runId } = await scene('running');
    const without = pool.query(
      `update task_instance set dispatch_id = null where run_id = $1 and task_index = ${TASK}`,
      [runId],
    );
    await expect(without).rejects.toThrow(/running_dispatch/);
  });
});
