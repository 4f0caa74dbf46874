/**
 * Commands that drive two engines (as two servers would) with several workers, and a model that knows what each must answer. After every
 * command the checker compares the events with the rows. The model is naive on purpose: it only remembers dispatches.
 */
import fc from 'fast-check';
import type { DagSpec } from '../../sdk/dag-spec.ts';
import type { Dispatch, ReportAnswer, ReportOutcome } from '../../sdk/protocol.ts';
import { checkRuns, type Answered } from './check-runs.ts';
import { reportOf, type TestEngine } from './engine.ts';
import type { TestDatabase } from './database.ts';

interface KnownDispatch {
  dispatch: Dispatch;
  worker: number;
  /** `gone`: taken away by somebody else than its runner. */
  status: 'live' | 'ended' | 'gone';
  outcome?: ReportOutcome;
}

export interface Model {
  runs: number;
  known: KnownDispatch[];
}

export interface Real {
  database: TestDatabase;
  engines: TestEngine[];
  /** Worker ids; each has the name `${queue}-${index}`. */
  workers: number[];
  queue: string;
  dagId: number;
  spec: DagSpec;
  runIds: number[];
  answers: Answered[];
}

export type EngineCommand = fc.AsyncCommand<Model, Real>;

type Act = (model: Model, real: Real) => Promise<void>;

/** A command that is possible when there is something for it to work on. */
function command(name: string, possible: (model: Model) => boolean, act: Act): EngineCommand {
  return {
    check: possible,
    async run(model, real) {
      await act(model, real);
      await checkRuns(real.database, { runIds: real.runIds, answers: real.answers });
    },
    toString: () => name,
  };
}

const pick = <T>(list: readonly T[], n: number): T => {
  const item = list[n % list.length];
  if (item === undefined) throw new Error('nothing to pick from');
  return item;
};
const uuidOf = (known: KnownDispatch) => known.dispatch.dispatchId.split('.')[3];

function receive(model: Model, dispatches: Dispatch[], worker: number): void {
  for (const dispatch of dispatches) {
    if (model.known.some((known) => known.dispatch.dispatchId === dispatch.dispatchId))
      throw new Error(`dispatch ${dispatch.dispatchId} was handed out twice`);
    const rival = model.known.find(
      (known) =>
        known.status === 'live' &&
        known.dispatch.run.runId === dispatch.run.runId &&
        known.dispatch.taskId === dispatch.taskId,
    );
    if (rival) throw new Error(`${dispatch.taskId} was handed out while ${rival.dispatch.dispatchId} is live`);
    model.known.push({ dispatch, worker, status: 'live' });
  }
}

/** What a report of this dispatch must be answered. */
function expectedAnswer(known: KnownDispatch, outcome: ReportOutcome): ReportAnswer {
  if (known.status === 'live') return 'ACCEPTED';
  return known.status === 'ended' && known.outcome === outcome && outcome !== 'released' ? 'DUPLICATE' : 'FENCED';
}

function expectAnswer(real: Real, known: KnownDispatch, outcome: ReportOutcome, answers: ReportAnswer[]): void {
  for (const answer of answers) real.answers.push({ dispatchId: known.dispatch.dispatchId, outcome, answer });
  const first = expectedAnswer(known, outcome);
  if (known.status === 'live') Object.assign(known, { status: 'ended', outcome });
  const again = expectedAnswer(known, outcome);
  const expected = answers.map((_, i) => (i === 0 ? first : again));
  if ([...answers].sort().join() !== expected.sort().join())
    throw new Error(
      `${outcome} of ${known.dispatch.dispatchId} was answered ${answers.join()}, should be ${expected.join()}`,
    );
}

const goneWhere = (model: Model, test: (known: KnownDispatch) => boolean) => {
  for (const known of model.known) if (known.status === 'live' && test(known)) known.status = 'gone';
};

const TO_RUN: { [table: string]: string } = {
  lease: `update task_instance set deadline_at = clock_timestamp() - interval '1 s' where dispatch_id = $1 and state = 'running'`,
  timers: `with t as (update task_timer set due_at = clock_timestamp() - interval '1 s' where run_id = any($1::bigint[]) returning *)
    update task_instance i set deadline_at = t.due_at from t where i.run_id = t.run_id and i.task_index = t.task_index and i.state = 'up_for_retry'`,
};

/** Ends the leases of these dispatches now, as a minute's silence would. */
async function runOutLeases({ database }: Real, known: KnownDispatch[]): Promise<void> {
  for (const one of known) await database.pool.query(TO_RUN['lease']!, [uuidOf(one)]);
}

async function wakeAll({ database, runIds }: Real, engine: TestEngine): Promise<void> {
  await database.pool.query(TO_RUN['timers']!, [runIds]);
  const { rows } = await database.pool.query<{ run_id: number; task_index: number }>(
    'select run_id, task_index from task_timer where run_id = any($1::bigint[])',
    [runIds],
  );
  await engine.wakeTasks(rows.map((row) => ({ runId: row.run_id, taskIndex: row.task_index, mapIndex: -1 })));
}

const hasRun = (model: Model) => model.runs > 0;
const hasDispatch = (model: Model) => model.known.length > 0;
const hasLive = (model: Model) => model.known.some((known) => known.status === 'live');
const live = (model: Model) => model.known.filter((known) => known.status === 'live');
const names = (real: Real, mask: number) =>
  real.spec.tasks.filter((_, i) => mask & (1 << i)).map((task) => task.taskId);

const n = fc.nat(1000);
const engineOf = (real: Real, at: number) => pick(real.engines, at);
const outcomes = fc.constantFrom<ReportOutcome>('success', 'success', 'failed', 'failed', 'skipped');

const COMMANDS: fc.Arbitrary<EngineCommand>[] = [
  fc.tuple(n, fc.integer({ min: 1, max: 3 })).map(([at, count]) =>
    command(
      `trigger ${count}`,
      (model) => model.runs < 6,
      async (model, real) => {
        const runs = Array.from({ length: count }, () => ({ dagId: real.dagId, kind: 'manual' as const }));
        const created = await engineOf(real, at).createRuns(runs);
        if (created.some((one) => !one.created)) throw new Error('a trigger made no run');
        real.runIds.push(...created.map((one) => one.runId));
        model.runs += count;
      },
    ),
  ),
  fc.tuple(n, n, fc.integer({ min: 1, max: 4 })).map(([at, who, limit]) =>
    command(`worker ${who % 3} claims ${limit} of engine ${at % 2}`, hasRun, async (model, real) => {
      const worker = who % real.workers.length;
      const dispatches = await engineOf(real, at).claim({
        workerId: real.workers[worker]!,
        queues: [real.queue],
        limit,
      });
      receive(model, dispatches, worker);
    }),
  ),
  fc.tuple(n, n, n, outcomes, fc.nat(3)).map(([at, which, who, outcome, limit]) =>
    command(`report live ${which} ${outcome} to engine ${at % 2}, claim ${limit}`, hasLive, async (model, real) => {
      const known = pick(live(model), which);
      const { answers, dispatches } = await engineOf(real, at).report({
        workerId: real.workers[who % real.workers.length]!,
        reports: [reportOf(known.dispatch, outcome)],
        claim: { queues: [real.queue], limit },
      });
      expectAnswer(real, known, outcome, answers);
      receive(model, dispatches, who % real.workers.length);
    }),
  ),
  // Any dispatch that was ever handed out: a stale runner, a resend
  fc.tuple(n, n, outcomes).map(([at, which, outcome]) =>
    command(`report any ${which} ${outcome} to engine ${at % 2}`, hasDispatch, async (model, real) => {
      const known = pick(model.known, which);
      const { answers } = await engineOf(real, at).report({
        workerId: null,
        reports: [reportOf(known.dispatch, outcome)],
      });
      expectAnswer(real, known, outcome, answers);
    }),
  ),
  fc.tuple(n, outcomes).map(([which, outcome]) =>
    command(`report any ${which} ${outcome} to both engines at once`, hasDispatch, async (model, real) => {
      const known = pick(model.known, which);
      const sent = [...real.engines, ...real.engines].map((engine) =>
        engine.report({ workerId: null, reports: [reportOf(known.dispatch, outcome)] }),
      );
      expectAnswer(
        real,
        known,
        outcome,
        (await Promise.all(sent)).flatMap((response) => response.answers),
      );
    }),
  ),
  fc.tuple(n, fc.array(outcomes, { minLength: 6, maxLength: 6 })).map(([at, how]) =>
    command(`report all live at once ${how.join()}`, hasLive, async (model, real) => {
      const all = live(model);
      const reports = all.map((known, i) => ({ known, outcome: pick(how, i) }));
      // One after the other to both engines: parents of one child finish on two servers
      const sent = reports.map(({ known, outcome }, i) =>
        engineOf(real, at + i).report({ workerId: null, reports: [reportOf(known.dispatch, outcome)] }),
      );
      const responses = await Promise.all(sent);
      reports.forEach(({ known, outcome }, i) => expectAnswer(real, known, outcome, responses[i]!.answers));
    }),
  ),
  fc.tuple(n, fc.array(outcomes, { minLength: 6, maxLength: 6 }), n).map(([at, how, who]) =>
    command(`report all live in one batch ${how.join()}`, hasLive, async (model, real) => {
      const all = live(model);
      const { answers, dispatches } = await engineOf(real, at).report({
        workerId: real.workers[who % real.workers.length]!,
        reports: all.map((known, i) => reportOf(known.dispatch, pick(how, i))),
        claim: { queues: [real.queue], limit: all.length },
      });
      all.forEach((known, i) => expectAnswer(real, known, pick(how, i), [answers[i]!]));
      receive(model, dispatches, who % real.workers.length);
    }),
  ),
  fc.tuple(n, n).map(([at, which]) =>
    command(`release any ${which} to engine ${at % 2}`, hasDispatch, async (model, real) => {
      const known = pick(model.known, which);
      const { answers } = await engineOf(real, at).report({
        workerId: null,
        reports: [reportOf(known.dispatch, 'released')],
      });
      expectAnswer(real, known, 'released', answers);
    }),
  ),
  fc.tuple(n, n).map(([at, mask]) =>
    command(`heartbeat ${mask} to engine ${at % 2}`, hasDispatch, async (model, real) => {
      const beaten = model.known.filter((_, i) => mask & (1 << (i % 10)));
      const { fenced } = await engineOf(real, at).heartbeat({
        workerId: null,
        dispatchIds: beaten.map((known) => known.dispatch.dispatchId),
      });
      const expected = beaten.filter((known) => known.status !== 'live').map((known) => known.dispatch.dispatchId);
      if (fenced.join() !== expected.join())
        throw new Error(`heartbeat fenced [${fenced.join()}], should be [${expected.join()}]`);
    }),
  ),
  fc.tuple(n, n).map(([at, which]) =>
    command(`lease of live ${which} runs out, engine ${at % 2} sees it`, hasLive, async (model, real) => {
      const known = pick(live(model), which);
      await runOutLeases(real, [known]);
      await engineOf(real, at).expireLeases();
      known.status = 'gone';
    }),
  ),
  fc.constant(
    command('all leases run out, both engines see it', hasLive, async (model, real) => {
      await runOutLeases(real, live(model));
      await Promise.all(real.engines.map((engine) => engine.expireLeases()));
      goneWhere(model, () => true);
    }),
  ),
  n.map((at) => command(`retries are due at engine ${at % 2}`, hasRun, (_, real) => wakeAll(real, engineOf(real, at)))),
  fc.constant(
    command('retries are due at both engines', hasRun, async (_, real) => {
      await Promise.all(real.engines.map((engine) => wakeAll(real, engine)));
    }),
  ),
  n.map((at) =>
    command(`review at engine ${at % 2}`, hasRun, (_, real) => engineOf(real, at).reviewRuns([...real.runIds])),
  ),
  fc.tuple(n, n).map(([at, which]) =>
    command(`cancel run ${which} at engine ${at % 2}`, hasRun, async (model, real) => {
      const runId = pick(real.runIds, which);
      await engineOf(real, at).cancelRun(runId, 'model');
      goneWhere(model, (known) => known.dispatch.run.runId === String(runId));
    }),
  ),
  fc
    .tuple(
      n,
      n,
      fc.nat(255),
      fc.constantFrom('clear', 'clear', 'clear', 'success', 'failed', 'skipped'),
      fc.boolean(),
      fc.boolean(),
    )
    .map(([at, which, mask, action, downstream, onlyFailed]) =>
      command(
        `${action} ${mask} of run ${which}${downstream ? ' downstream' : ''}${onlyFailed ? ' failed' : ''}`,
        hasRun,
        async (model, real) => {
          const runId = pick(real.runIds, which);
          const taskIds = names(real, mask);
          const edited = await engineOf(real, at).editTasks({
            runId,
            action: action as 'clear',
            taskIds,
            downstream,
            onlyFailed,
            actor: 'model',
          });
          const targets = new Set(
            Array.isArray(edited) ? edited.map((one) => real.spec.tasks[one.taskIndex]?.taskId) : [],
          );
          goneWhere(model, (known) => known.dispatch.run.runId === String(runId) && targets.has(known.dispatch.taskId));
        },
      ),
    ),
  fc.tuple(n, n).map(([at, who]) =>
    command(`worker ${who % 3} comes back at engine ${at % 2}`, hasRun, async (model, real) => {
      const worker = who % real.workers.length;
      real.workers[worker] = await engineOf(real, at).worker(`${real.queue}-${worker}`);
      goneWhere(model, (known) => known.worker === worker);
    }),
  ),
];

/** A DAG and what is done to its runs. */
export const scenario = (spec: fc.Arbitrary<Omit<DagSpec, 'dagId'>>, mostCommands: number) =>
  fc.tuple(spec, fc.commands(COMMANDS, { maxCommands: mostCommands, size: 'max' }));

let scenarios = 0;

/** Plays one scenario, then lets everything end: whatever was done, no run stays behind. */
export async function play(
  database: TestDatabase,
  engines: TestEngine[],
  spec: Omit<DagSpec, 'dagId'>,
  commands: Iterable<EngineCommand>,
): Promise<void> {
  const queue = `q${++scenarios}`;
  const full = { ...spec, dagId: queue, tasks: spec.tasks.map((task) => ({ ...task, queue })) };
  const { dagId } = await engines[0]!.deploy(full);
  const workers = await Promise.all([0, 1, 2].map((i) => engines[0]!.worker(`${queue}-${i}`)));
  const real: Real = { database, engines, workers, queue, dagId, spec: full, runIds: [], answers: [] };
  const model: Model = { runs: 0, known: [] };
  await fc.asyncModelRun(() => ({ model, real }), commands);
  await drain(model, real);
}

/** Finishes whatever is left, with success. */
async function drain(model: Model, real: Real): Promise<void> {
  const most = 10 + 3 * real.runIds.length * real.spec.tasks.length;
  const [engine] = real.engines;
  for (let round = 0; engine && round < most; round++) {
    for (const known of live(model)) {
      const { answers } = await engine.report({ workerId: null, reports: [reportOf(known.dispatch)] });
      expectAnswer(real, known, 'success', answers);
    }
    await wakeAll(real, engine);
    receive(model, await engine.claim({ workerId: real.workers[0]!, queues: [real.queue], limit: 100 }), 0);
    if (live(model).length === 0 && (await allEnded(real))) break;
  }
  await checkRuns(real.database, { runIds: real.runIds, answers: real.answers, finished: true });
}

async function allEnded({ database, runIds }: Real): Promise<boolean> {
  const { rows } = await database.pool.query(
    'select from dag_run where id = any($1::bigint[]) and ended_at is null limit 1',
    [runIds],
  );
  return rows.length === 0;
}
