/** What may be asked of the engine, as fast-check commands. After every one the checker compares the runs' events with their rows. */
import fc from 'fast-check';
import type { DagSpec } from '../../sdk/dag-spec.ts';
import type { ReportOutcome } from '../../sdk/protocol.ts';
import { isSystemQueue } from '../../sdk/system-tasks.ts';
import { checkRuns } from './check-runs.ts';
import { reportOf } from './engine.ts';
import {
  breakConnections,
  expectAnswers,
  goneWhere,
  live,
  loseAllWaits,
  makeRetriesDue,
  missAnswers,
  receive,
  runOutLeases,
  unknownDispatches,
  type EngineCommand,
  type Model,
  type Real,
} from './engine-model.ts';

type Act = (model: Model, real: Real) => Promise<void>;

function command(name: string, act: Act, possible: (model: Model) => boolean = () => true): EngineCommand {
  return {
    check: possible,
    async run(model, real) {
      await act(model, real);
      await checkRuns(real.database, { runIds: real.runIds, answers: real.answers });
    },
    toString: () => name,
  };
}

const pick = <T>(list: readonly T[], at: number): T => {
  const item = list[at % list.length];
  if (item === undefined) throw new Error('There is nothing to pick from.');
  return item;
};
const hasDispatch = (model: Model) => model.known.length > 0;
const hasLive = (model: Model) => live(model).length > 0;

const n = fc.nat(999);
const outcome = fc.constantFrom<ReportOutcome>('success', 'success', 'failed', 'failed', 'skipped');
const outcomes = fc.array(outcome, { minLength: 6, maxLength: 6 });

const trigger = fc.tuple(n, fc.integer({ min: 1, max: 2 })).map(([at, count]) =>
  command(
    `trigger ${count}`,
    async (model, real) => {
      const runs = Array.from({ length: count }, () => ({ dagId: real.dagId, kind: 'manual' as const }));
      const created = await pick(real.engines, at).createRuns(runs);
      if (created.some((one) => !one.created)) throw new Error('A trigger made no run.');
      real.runIds.push(...created.map((one) => one.runId));
      model.runs += count;
    },
    (model) => model.runs < 6,
  ),
);

const claim = fc.tuple(n, fc.nat(2), fc.integer({ min: 1, max: 4 })).map(([at, worker, limit]) =>
  command(`worker ${worker} claims ${limit} of engine ${at % 2}`, async (model, real) => {
    const request = { workerId: pick(real.workers, worker), queues: real.queues, limit };
    receive(model, await pick(real.engines, at).claim(request), worker);
  }),
);

/** The answer never comes: half a minute on, the tasks go back to the line as if nothing had been. */
const claimInVain = fc.tuple(n, fc.nat(2), fc.integer({ min: 1, max: 4 })).map(([at, worker, limit]) =>
  command(`worker ${worker} claims ${limit} of engine ${at % 2} in vain`, async (_, real) => {
    const request = { workerId: pick(real.workers, worker), queues: real.queues, limit };
    const dispatches = await pick(real.engines, at).claim(request);
    await missAnswers(real, dispatches);
    const taken = await Promise.all(real.engines.map((engine) => engine.relaunchUndelivered()));
    if (taken[0]! + taken[1]! !== dispatches.length)
      throw new Error(`Of ${dispatches.length} lost dispatches ${taken.join('+')} came back.`);
  }),
);

const reportLive = fc.tuple(n, n, fc.nat(2), outcome, fc.nat(3)).map(([at, which, worker, how, limit]) =>
  command(
    `${how} of live ${which} to engine ${at % 2}, worker ${worker} claims ${limit}`,
    async (model, real) => {
      const known = pick(live(model), which);
      const { answers, dispatches } = await pick(real.engines, at).report({
        workerId: pick(real.workers, worker),
        reports: [reportOf(known.dispatch, how)],
        claim: { queues: real.queues, limit },
      });
      expectAnswers(real, known, how, answers);
      receive(model, dispatches, worker);
    },
    hasLive,
  ),
);

/** Any dispatch that was ever handed out: a stale runner, a resend; to one engine, or to both at once. */
const reportAny = fc
  .tuple(n, n, fc.oneof(outcome, fc.constantFrom<ReportOutcome>('released', 'rescheduled')), fc.constantFrom(1, 1, 4))
  .map(([at, which, how, times]) =>
    command(
      `${how} of any ${which} to engine ${at % 2}${times > 1 ? ', to both at once' : ''}`,
      async (model, real) => {
        const known = pick(model.known, which);
        const sent = Array.from({ length: times }, (_, i) =>
          pick(real.engines, at + i).report({ workerId: null, reports: [reportOf(known.dispatch, how)] }),
        );
        const answers = (await Promise.all(sent)).flatMap((response) => response.answers);
        expectAnswers(real, known, how, answers);
      },
      hasDispatch,
    ),
  );

/** Commits whose answer is lost: the engines send everything again, and nothing of it counts twice. */
const reportOverBrokenLines = fc.tuple(n, n, fc.nat(2), outcome, fc.nat(3)).map(([at, which, worker, how, limit]) =>
  command(
    `${how} of live ${which} to engine ${at % 2} while its connections break, worker ${worker} claims ${limit}`,
    async (model, real) => {
      const known = pick(live(model), which);
      const sent = pick(real.engines, at).report({
        workerId: pick(real.workers, worker),
        reports: [reportOf(known.dispatch, how)],
        claim: { queues: real.queues, limit },
      });
      const [{ answers, dispatches }] = await Promise.all([sent, breakConnections(real)]);
      // On record already when it was sent again
      expectAnswers(real, known, how, answers[0] === 'DUPLICATE' ? ['ACCEPTED'] : answers);
      receive(model, dispatches, worker);
      const lost = await unknownDispatches(model, real);
      await missAnswers(real, lost);
      const taken = await pick(real.engines, at).relaunchUndelivered();
      if (taken !== lost.length) throw new Error(`Of ${lost.length} lost dispatches ${taken} came back.`);
    },
    hasLive,
  ),
);

/** To both engines in turn: parents of one child finish on two servers. */
const reportAllAtOnce = fc.tuple(n, outcomes).map(([at, how]) =>
  command(
    `all live to both engines at once: ${how.join()}`,
    async (model, real) => {
      const all = live(model);
      const sent = all.map((known, i) =>
        pick(real.engines, at + i).report({ workerId: null, reports: [reportOf(known.dispatch, pick(how, i))] }),
      );
      const responses = await Promise.all(sent);
      all.forEach((known, i) => expectAnswers(real, known, pick(how, i), responses[i]?.answers ?? []));
    },
    hasLive,
  ),
);

const reportInOneBatch = fc.tuple(n, outcomes, fc.nat(2)).map(([at, how, worker]) =>
  command(
    `all live in one batch to engine ${at % 2}: ${how.join()}`,
    async (model, real) => {
      const all = live(model);
      const { answers, dispatches } = await pick(real.engines, at).report({
        workerId: pick(real.workers, worker),
        reports: all.map((known, i) => reportOf(known.dispatch, pick(how, i))),
        claim: { queues: real.queues, limit: all.length },
      });
      all.forEach((known, i) => expectAnswers(real, known, pick(how, i), answers.slice(i, i + 1)));
      receive(model, dispatches, worker);
    },
    hasLive,
  ),
);

const heartbeat = fc.tuple(n, n).map(([at, mask]) =>
  command(
    `heartbeat ${mask} to engine ${at % 2}`,
    async (model, real) => {
      const beaten = model.known.filter((_, i) => mask & (1 << (i % 10)));
      const { fenced } = await pick(real.engines, at).heartbeat({
        workerId: null,
        dispatchIds: beaten.map((known) => known.dispatch.dispatchId),
      });
      const due = beaten
        .filter((known) => known.status !== 'live' || known.deferred)
        .map((known) => known.dispatch.dispatchId);
      if (fenced.join() !== due.join())
        throw new Error(`A heartbeat fenced [${fenced.join()}], should [${due.join()}].`);
    },
    hasDispatch,
  ),
);

const expire = fc.tuple(n, fc.oneof(n, fc.constant('all' as const))).map(([at, which]) =>
  command(
    `lease of live ${which} runs out, engine ${at % 2} or both see it`,
    async (model, real) => {
      const silent = (which === 'all' ? live(model) : [pick(live(model), which)]).filter((known) => !known.deferred);
      await runOutLeases(
        real,
        silent.map((known) => known.dispatch),
      );
      const engines = which === 'all' ? real.engines : [pick(real.engines, at)];
      await Promise.all(engines.map((engine) => engine.expireLeases()));
      goneWhere(model, (known) => silent.includes(known));
    },
    hasLive,
  ),
);

const wake = fc.tuple(n, fc.boolean()).map(([at, both]) =>
  command(`retries are due at ${both ? 'both engines' : `engine ${at % 2}`}`, async (_, real) => {
    const due = await makeRetriesDue(real.database, real.runIds);
    const engines = both ? real.engines : [pick(real.engines, at)];
    await Promise.all(engines.map((engine) => engine.wakeTasks(due)));
  }),
);

const review = n.map((at) =>
  command(`review at engine ${at % 2}`, (_, real) => pick(real.engines, at).reviewRuns([...real.runIds])),
);

const TIMED_OUT = { as: 'failed', rest: 'skipped', actor: 'model', cause: 'run_timeout', reason: 'Too long.' } as const;
const end = fc.tuple(n, n, fc.boolean()).map(([at, which, timedOut]) =>
  command(`${timedOut ? 'time out' : 'cancel'} run ${which} at engine ${at % 2}`, async (model, real) => {
    const runId = pick(real.runIds, which);
    const engine = pick(real.engines, at);
    await (timedOut ? engine.endRun({ ...TIMED_OUT, runId }) : engine.cancelRun(runId, 'model'));
    goneWhere(model, (known) => known.dispatch.run.runId === String(runId));
  }),
);

const ACTIONS = ['clear', 'clear', 'clear', 'success', 'failed', 'skipped'] as const;
const edit = fc
  .tuple(n, n, fc.nat(255), fc.constantFrom(...ACTIONS), fc.boolean(), fc.boolean())
  .map(([at, which, mask, action, downstream, onlyFailed]) =>
    command(
      `${action} ${mask} of run ${which}, ${downstream ? 'downstream' : ''} ${onlyFailed ? 'failed' : ''}`,
      async (model, real) => {
        const runId = pick(real.runIds, which);
        const { tasks } = real.spec;
        const taskIds = tasks.filter((_, i) => mask & (1 << i)).map((task) => task.taskId);
        const request = { runId, action, taskIds, downstream, onlyFailed, actor: 'model' };
        const edited = await pick(real.engines, at).editTasks(request);
        const targets = new Set(Array.isArray(edited) ? edited.map((one) => tasks[one.taskIndex]?.taskId) : []);
        goneWhere(model, ({ dispatch }) => dispatch.run.runId === String(runId) && targets.has(dispatch.taskId));
      },
    ),
  );

const comeBack = fc.tuple(n, fc.nat(2)).map(([at, worker]) =>
  command(`worker ${worker} comes back at engine ${at % 2}`, async (model, real) => {
    real.workers[worker] = await pick(real.engines, at).worker(`${real.queue}-${worker}`);
    goneWhere(model, (known) => known.worker === worker && !known.deferred);
  }),
);

/** It goes on waiting without a worker; said again, it changes nothing. */
const defer = fc.tuple(n, n, fc.constantFrom(1, 1, 3)).map(([at, which, times]) =>
  command(
    `live ${which} is deferred by engine ${at % 2}${times > 1 ? ', and both again' : ''}`,
    async (model, real) => {
      const able = live(model).filter(({ dispatch }) => isSystemQueue(dispatch.task.queue));
      if (able.length === 0) return;
      const known = pick(able, which);
      const defer = { kind: 'test', spec: {}, dueAt: null, timeoutSeconds: null, watchKey: null };
      const sent = Array.from({ length: times }, (_, i) =>
        pick(real.engines, at + i).report({
          workerId: null,
          reports: [reportOf(known.dispatch, 'deferred', { defer })],
        }),
      );
      const answers = (await Promise.all(sent)).flatMap((response) => response.answers).sort();
      const due = answers.map((_, i) => (i === 0 && !known.deferred ? 'ACCEPTED' : 'DUPLICATE'));
      known.deferred = true;
      if (answers.join() !== due.join())
        throw new Error(`A deferral was answered ${answers.join()}, should be ${due.join()}.`);
    },
    hasLive,
  ),
);

/** A wait whose row is gone begins its try anew. */
const loseWaits = n.map((at) =>
  command(`waits are lost, engine ${at % 2} sees it`, async (model, real) => {
    await loseAllWaits(real);
    await pick(real.engines, at).reviewRuns([...real.runIds]);
    goneWhere(model, (known) => known.deferred === true);
  }),
);

/** How often each is drawn: most scenarios should get through some tries before somebody's hand ends them. */
const WEIGHTED: [number, fc.Arbitrary<EngineCommand>][] = [
  [2, trigger],
  [10, claim],
  [2, claimInVain],
  [6, reportLive],
  [8, reportAny],
  [2, reportOverBrokenLines],
  [2, reportAllAtOnce],
  [2, reportInOneBatch],
  [3, defer],
  [1, loseWaits],
  [2, heartbeat],
  [5, expire],
  [8, wake],
  [1, review],
  [1, end],
  [4, edit],
  [1, comeBack],
];

/** A DAG and what is done to its runs. Draw it unbiased: a short scenario proves little. */
export function scenario(spec: fc.Arbitrary<Omit<DagSpec, 'dagId'>>, mostCommands: number) {
  const drawn = WEIGHTED.flatMap(([weight, arbitrary]) => Array.from({ length: weight }, () => arbitrary));
  return fc.tuple(spec, fc.commands(drawn, { maxCommands: mostCommands, size: 'max' }));
}
