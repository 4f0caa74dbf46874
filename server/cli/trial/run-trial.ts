import { dirname, join, relative, resolve } from 'node:path';
import { deployDag } from '#db/queries/dag.ts';
import type { DagSpec, TaskSpec } from '#sdk/dag-spec.ts';
import { didYouMean } from '#sdk/near-match.ts';
import { resolveParams } from '#sdk/params.ts';
import type { Json } from '#sdk/protocol.ts';
import { isReservedQueue } from '#sdk/system-tasks.ts';
import { intervalOfManualRun } from '#sdk/timetable.ts';
import { readInstant } from '#sdk/zoned-time.ts';
import type { LoadedDag } from '../../bundles/loaded-file.ts';
import { CommandError } from '../command-error.ts';
import { filesOf } from '../dag-files.ts';
import { loadFileOrFail } from '../load-file.ts';
import { printNote } from '../output.ts';
import type { Core } from '../roles/engine.ts';
import { runRole, type RoleContext } from '../roles/role.ts';
import { RUN_EXIT_CODES } from '../run-exit-codes.ts';
import { readValues, storeValues, type TrialValues } from './load-values.ts';
import { askPerson } from './ask-person.ts';
import type { Answer } from './approval-answer.ts';
import { startDeciding, type DecidingOptions } from './decide-approvals.ts';
import { giveResults } from './give-results.ts';
import { createLiveOutput } from './live-output.ts';
import { alone, planIssues, planTrial, type Trial } from './plan-trial.ts';
import { createRunBoard, type RunBoard } from './run-board.ts';
import { createRunFeed } from './run-feed.ts';
import { summarise } from './summary.ts';
import { createJsonOutput, createTextOutput, type TrialOutput } from './trial-output.ts';
import { planDecisions } from './trial-decisions.ts';
import { openTrialCore, openPools, openTrialWorker } from './trial-service.ts';
import { watchRun } from './watch-run.ts';

export interface TrialOptions {
  dag?: string;
  task?: string;
  upstream?: boolean;
  input?: { [name: string]: Json };
  conf?: { [name: string]: Json };
  date?: string;
  decide?: { [taskId: string]: string };
  form?: { [taskId: string]: Json };
  variables?: string;
  connections?: string;
  tryAll?: boolean;
  json?: boolean;
}

interface Prepared {
  /** Where the DAG is defined. */
  file: string;
  dag: LoadedDag;
  /** The other DAGs of the file: tasks may trigger them. */
  others: LoadedDag[];
  trial: Trial;
  conf: { [name: string]: Json };
  logicalDate: Date;
  values: TrialValues;
  decisions: Map<string, Answer>;
}

/** Runs a DAG of the file from its first task to its last, on a service that is there for it alone. */
export const runTrial = (path: string, options: TrialOptions): Promise<void> =>
  runRole('test', async (context) => {
    const preparing = prepare(path, filesOf(resolve(path)), options);
    const starting = openTrialCore(context, {
      onPrepare: () => printNote('Preparing a database for tests; the next start is faster …'),
    });
    // Both to their end: what has started must be known to whoever stops it.
    await Promise.allSettled([starting, preparing]);
    const [prepared, core] = [await preparing, await starting];
    const { trial } = prepared;
    for (const name of trial.missing) printNote(`The input "${name}" is null: give it with --input ${name}=<json>.`);
    const board = createRunBoard(taskIdsOf(trial));
    const output = outputFor(prepared, board, options.json === true);
    try {
      await follow(core, context, { prepared, board, output });
    } finally {
      output.close();
    }
    await context.shutdown.run('done');
  });

async function prepare(path: string, files: string[], options: TrialOptions): Promise<Prepared> {
  if (files.length === 0) throw new CommandError(`There is no DAG file in ${path}.`);
  const loaded = await Promise.all(files.map((file) => loadFileOrFail(file, process.cwd())));
  const dags = loaded.flatMap((file) => file.dags);
  const fileOf = (dag: LoadedDag) => files[loaded.findIndex((file) => file.dags.includes(dag))]!;
  const dag = chooseDag(dags, options.dag, relative(process.cwd(), resolve(path)) || path);
  const { task, upstream, input = {}, tryAll = false, conf = {} } = options;
  const trial = planTrial(dag.spec, { task, upstream, inputs: input, tryAll });
  checkPlan(trial);
  checkConf(dag.spec, conf);
  const others = dags.filter((other) => other !== dag);
  const specs = [trial.spec, ...others.map(({ spec }) => spec)];
  const decisions = planDecisions(specs, { decide: options.decide ?? {}, form: options.form ?? {} });
  const values = await readValues(options);
  return {
    file: fileOf(dag),
    dag,
    others,
    trial,
    conf,
    values,
    decisions,
    logicalDate: logicalDateOf(options.date, dag.spec.timezone),
  };
}

function chooseDag(dags: LoadedDag[], dagId: string | undefined, path: string): LoadedDag {
  const ids = dags.map(({ spec }) => spec.dagId);
  if (dagId === undefined) {
    if (dags.length === 1) return dags[0]!;
    throw new CommandError(`${path} has ${dags.length} DAGs: choose one with --dag. There are ${ids.join(', ')}.`);
  }
  const found = dags.find(({ spec }) => spec.dagId === dagId);
  if (found) return found;
  throw new CommandError(`${path} has no DAG "${dagId}".${didYouMean(dagId, ids)} There are ${ids.join(', ')}.`);
}

function checkPlan(trial: Trial): void {
  const issues = planIssues(trial).map(({ path, message }) => `  ${path}: ${message}`);
  if (issues.length > 0)
    throw new CommandError(['The task cannot run without the rest of its DAG:', ...issues].join('\n'));
}

function checkConf(spec: DagSpec, conf: { [name: string]: Json }): void {
  const resolved = resolveParams(spec.params, conf);
  if (resolved.ok) return;
  const issues = resolved.issues.map(({ path, message }) => `  conf${path}: ${message}`);
  throw new CommandError(['The configuration does not fit the params of the DAG:', ...issues].join('\n'));
}

function logicalDateOf(text: string | undefined, timezone: string): Date {
  if (text === undefined) return new Date();
  const instant = readInstant(text, timezone);
  if (instant === null)
    throw new CommandError(`--date ${text}: not a date. Write 2026-01-31 or 2026-01-31T06:00:00, in ${timezone}.`);
  return new Date(instant);
}

function outputFor({ dag, trial }: Prepared, board: RunBoard, json: boolean): TrialOutput {
  if (json) return createJsonOutput();
  const { stdout } = process;
  if (!stdout.isTTY) return createTextOutput();
  const { dagId } = dag.spec;
  return createLiveOutput({ terminal: stdout, colours: stdout.hasColors(), dagId, tasks: trial.running, board });
}

interface Following {
  prepared: Prepared;
  board: RunBoard;
  output: TrialOutput;
}

async function follow(core: Core, context: RoleContext, { prepared, board, output }: Following): Promise<void> {
  const { db, engine, listener } = core;
  const { trial, dag } = prepared;
  const taskIds = taskIdsOf(trial);
  const bundles = join(context.config.home, 'worker', 'bundles');
  const feed = createRunFeed({ taskIds, board, output, tidy: sourcePaths(bundles, prepared.file) });
  let runId = 0;
  const specs = [trial.spec, ...prepared.others.map(({ spec }) => spec)];
  await openTrialWorker(core, context, { queues: queuesOf(specs), onLogs: (chunks) => feed.logs(runId, chunks) });
  const onError = (error: unknown) => context.log.error({ error }, 'a given result was not taken');
  context.shutdown.add('given results', await giveResults(engine, trial.given, onError));
  const deciding = decidingOptions(context, { given: prepared.decisions, output });
  context.shutdown.add('decisions', startDeciding(core, deciding));

  await storeValues(core, prepared.values);
  await openPools(core, specs);
  const startedAt = performance.now();
  runId = await startRun(core, prepared);
  const { signal } = context.shutdown;
  const state = await watchRun({ db, listener, signal }, runId, (event) => feed.event(event));
  feed.flush();
  if (state === null) {
    output.close();
    return printNote('Stopped: what ran is interrupted.');
  }
  const { tasks } = dag.spec;
  const retriesOf = new Map(trial.running.map((task) => [task.taskId, task.retries]));
  const isCut = (task: TaskSpec) => task.retries > (retriesOf.get(task.taskId) ?? 0);
  const withoutRetries = new Set(tasks.filter(isCut).map((task) => task.taskId));
  const seconds = (performance.now() - startedAt) / 1000;
  const input = { dagId: dag.spec.dagId, runId, state, seconds, taskCount: taskIds.length, withoutRetries };
  output.ended(await summarise(db, board, input));
  process.exitCode = RUN_EXIT_CODES[state.toUpperCase()] ?? 1;
}

function decidingOptions(
  { log }: RoleContext,
  { given, output }: { given: Map<string, Answer>; output: TrialOutput },
): DecidingOptions {
  const { stdin: input, stderr } = process;
  const ask: DecidingOptions['ask'] = async (question) => {
    const resume = output.pause();
    try {
      return await askPerson({ input, output: stderr }, question);
    } finally {
      resume();
    }
  };
  const onError = (error: unknown) => log.error({ error }, 'an approval was not decided');
  return { given, ask: input.isTTY && stderr.isTTY ? ask : null, note: output.note, onError };
}

const taskIdsOf = (trial: Trial): string[] => trial.running.map((task) => task.taskId);

const queuesOf = (specs: DagSpec[]): string[] => [
  ...new Set(specs.flatMap((spec) => spec.tasks.map((task) => task.queue)).filter((queue) => !isReservedQueue(queue))),
];

/** Stack traces name the file that its author knows, not the copy that the task ran from. */
function sourcePaths(bundles: string, file: string): (text: string) => string {
  const folder = relative(process.cwd(), dirname(file));
  const copy = new RegExp(`${bundles.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}[/\\\\][0-9a-f]{64}[/\\\\]`, 'g');
  return (text) => text.replace(copy, folder === '' ? '' : `${folder}/`);
}

async function startRun({ db, engine }: Core, { dag, others, trial, conf, logicalDate }: Prepared): Promise<number> {
  const deploy = (spec: DagSpec, { bundle }: LoadedDag) => deployDag(db, { spec, bundle, actor: 'test' });
  for (const other of others) await deploy(alone(other.spec), other);
  const { dagId, versionId } = await deploy(trial.spec, dag);
  // By the schedule that the trial itself goes without
  const { start: intervalStart, end: intervalEnd } = intervalOfManualRun(dag.spec, logicalDate);
  const date = { logicalDate, intervalStart, intervalEnd };
  const [created] = await engine.createRuns([{ dagId, versionId, kind: 'manual', ...date, conf, triggeredBy: 'test' }]);
  return created!.runId;
}
