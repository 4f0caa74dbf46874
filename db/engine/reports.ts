/** From a runner's report to the row that records it: what outcome it has, and whether a further try follows. */
import type pg from 'pg';
import { MAP_NAME_FIELD, saveRendered } from '#db/queries/rendered-fields.ts';
import type { Json, ReportAnswer, TaskReport } from '#sdk/protocol.ts';
import type { TaskState } from '#sdk/states.ts';
import { isSystemQueue } from '#sdk/system-tasks.ts';
import { formatDispatchId, parseDispatchId, type DispatchKey } from './dispatch-id.ts';
import type { FinishRow } from './flush-plan.ts';
import type { LostTry } from './lost-tasks.ts';
import { exhaustedReport, isExhausted } from './relaunches.ts';
import { decideRetry, type Failure, type RetryDecision, type TriesSoFar } from './retry-policy.ts';
import { asideRow } from './set-aside.ts';
import { BRANCH_KEY, type BranchChoice } from './special-edges.ts';
import type { ReportRequest } from './engine.ts';
import type { Versions } from './versions.ts';
import type { AsideRow, ClaimedTask, FinishItem } from './work-items.ts';

interface ReportsDeps {
  pool: pg.Pool;
  versions: Versions;
  onError(error: unknown): void;
  submit(item: FinishItem): void;
}

export interface Reports {
  submit(request: ReportRequest): Promise<{ answers: ReportAnswer[]; claimed: ClaimedTask[] }>;
  /** Ends lost tries; says how many were still current. */
  endLost(tries: LostTry[]): Promise<number>;
  /** Takes back what its worker never got; says how many. */
  takeBack(undelivered: DispatchKey[]): Promise<number>;
}

interface Tries extends TriesSoFar {
  /** How often this try has been handed back. */
  relaunches: number;
}

export function createReports({ pool, versions, submit, onError }: ReportsDeps): Reports {
  const send = (pending: FinishRow[], aside: AsideRow[], claim: FinishItem['claim']) => {
    const answers = new Map<FinishRow | AsideRow, ReportAnswer>();
    return new Promise<{ answers: typeof answers; claimed: ClaimedTask[] }>((resolve, reject) =>
      submit({
        kind: 'finish',
        rows: pending.length + aside.length,
        pending,
        aside,
        claim,
        answer: (key, answer) => answers.set(key, answer),
        resolve: (claimed) => resolve({ answers, claimed }),
        reject,
      }),
    );
  };

  return {
    async submit({ workerId, reports, claim }) {
      const keys = reports.map((report) => parseDispatchId(report.dispatchId));
      const unloaded = keys.filter((key) => key !== null && !versions.ofRun(key.runId)).map((key) => key?.runId ?? 0);
      // Everything cached: no await, so that what arrives in one tick goes out in one flush
      if (unloaded.length > 0) await versions.loadRuns(unloaded);
      const tries = reports.some(needsTries) ? await loadTries(pool, keys, (i) => needsTries(reports[i]!)) : [];
      const sent = reports.map((report, i): FinishRow | AsideRow | null => {
        const key = keys[i];
        const dag = key && versions.ofRun(key.runId);
        const task = key && dag?.tasks[key.taskIndex];
        if (!key || !dag || !task) return null;
        const target = { ...key, dag, workerId };
        const aside = asideRow(report, key, task.queue);
        if (!aside) return finishRow(report, target, tries[i]);
        return (aside.how === 'released' ? handBack(report, target, tries[i]) : null) ?? aside;
      });
      const rows = sent.filter((row) => row !== null);
      const wanted = claim && workerId !== null ? { ...claim, workerId } : null;
      const rendered = reports.flatMap(({ rendered: templates, mapName }, i) => {
        const row = sent[i];
        const fields = mapName == null ? templates : { ...templates, [MAP_NAME_FIELD]: mapName };
        return fields && row?.uuid ? [{ runId: row.runId, uuid: row.uuid, fields }] : [];
      });
      // Beside the flush: for people to look at, and no report fails for want of it
      const [{ answers, claimed }] = await Promise.all([
        send(rows.filter(isFinish), rows.filter(isAside), wanted),
        rendered.length > 0 ? saveRendered(pool, rendered).catch(onError) : null,
      ]);
      return { answers: sent.map((row) => (row && answers.get(row)) ?? 'UNKNOWN'), claimed };
    },
    async endLost(tries) {
      await versions.loadRuns(tries.map((lost) => lost.runId));
      const loaded = await loadTries(pool, tries, () => true);
      const rows = tries.flatMap((lost, i): (FinishRow | AsideRow)[] => {
        const dag = versions.ofRun(lost.runId);
        if (!dag) return [];
        // No code of a user runs in the triggerer, nor before a task has started: losing it costs nothing
        const isFree = lost.isStarting || isSystemQueue(dag.tasks[lost.taskIndex]?.queue);
        if (isFree) return [{ ...keyOf(lost), how: 'released', undelivered: false }];
        return [lostRow(lost, { ...lost, dag }, loaded[i])];
      });
      if (rows.length === 0) return 0;
      const { answers } = await send(rows.filter(isFinish), rows.filter(isAside), null);
      return countAccepted(answers);
    },
    async takeBack(undelivered) {
      if (undelivered.length === 0) return 0;
      await versions.loadRuns(undelivered.map((key) => key.runId));
      const tries = await loadTries(pool, undelivered, () => true);
      const rows = undelivered.map((key, i): FinishRow | AsideRow => {
        const dag = versions.ofRun(key.runId);
        const last = dag && handBack(neverArrived(key), { ...key, dag, workerId: null }, tries[i]);
        return last ?? { ...key, how: 'released', undelivered: true };
      });
      const { answers } = await send(rows.filter(isFinish), rows.filter(isAside), null);
      return countAccepted(answers);
    },
  };
}

const countAccepted = (answers: ReadonlyMap<unknown, ReportAnswer>): number =>
  [...answers.values()].filter((answer) => answer === 'ACCEPTED').length;

const keyOf = ({ runId, taskIndex, mapIndex, uuid }: DispatchKey): DispatchKey => ({
  runId,
  taskIndex,
  mapIndex,
  uuid,
});

const isFinish = (row: FinishRow | AsideRow): row is FinishRow => 'dag' in row;
const isAside = (row: FinishRow | AsideRow): row is AsideRow => !isFinish(row);

const mayRetry = (report: TaskReport): boolean => report.outcome === 'failed' && report.retryable !== false;
const needsTries = (report: TaskReport): boolean => report.outcome === 'released' || mayRetry(report);

/** Try numbers and their relaunches belong to the dispatch and never change under it, so this needs no lock. */
async function loadTries(
  pool: pg.Pool,
  keys: (DispatchKey | null)[],
  isWanted: (i: number) => boolean,
): Promise<(Tries | undefined)[]> {
  const asked = keys.flatMap((key, i) => (key && isWanted(i) ? [{ key, i }] : []));
  const { rows } = await pool.query<TriesRow>({
    name: 'load_tries',
    text: `select f.n::int as n, t.try_number, t.max_tries, case when l.try_number = t.try_number then l.count else 0 end as relaunches,
        case when l.extra_of = t.max_tries then l.extra else 0 end as extra
      from unnest($1::bigint[], $2::int[], $3::int[], $4::uuid[]) with ordinality f(run_id, task_index, map_index, dispatch_id, n)
      join task_instance t using (run_id, task_index, map_index, dispatch_id)
      left join task_relaunch l using (run_id, task_index, map_index)`,
    values: [
      asked.map(({ key }) => key.runId),
      asked.map(({ key }) => key.taskIndex),
      asked.map(({ key }) => key.mapIndex),
      asked.map(({ key }) => key.uuid),
    ],
  });
  const tries: (Tries | undefined)[] = [];
  for (const { n, try_number: tryNumber, max_tries: maxTries, relaunches, extra: infraRetries } of rows)
    tries[asked[n - 1]?.i ?? -1] = { tryNumber, maxTries, relaunches, infraRetries };
  return tries;
}

interface TriesRow {
  n: number;
  try_number: number;
  max_tries: number;
  relaunches: number;
  extra: number;
}

function lostRow(lost: LostTry, target: Target, tries: Tries | undefined): FinishRow {
  const failure = { cause: lost.cause, exitCode: null, message: lost.message, exceptions: [], retryable: true };
  const decision = decideEnd(target, failure, tries);
  return {
    ...target,
    ...endOf(decision),
    expired: lost.cause === 'lease_expired',
    cause: lost.cause,
    exitCode: null,
    message: lost.message,
    evidence: evidenceOf(null, decision),
    logBytes: 0,
    xcoms: null,
    branch: null,
    artifacts: null,
  };
}

type Target = DispatchKey & { dag: FinishRow['dag']; workerId: number | null };

/** The end of a try that has been handed back too often; null: once more is free. */
const handBack = (report: TaskReport, target: Target, tries: Tries | undefined): FinishRow | null =>
  tries && isExhausted(tries.relaunches) ? finishRow(exhaustedReport(report), target, tries) : null;

/** What a worker would say of a dispatch that it never got. */
const neverArrived = (key: DispatchKey): TaskReport => ({
  dispatchId: formatDispatchId(key),
  outcome: 'released',
  cause: 'worker_lost',
  message: 'The answer that carried it never reached its worker.',
  logBytes: 0,
});

/** Characters of all results of one report. Larger ones are brought to the artifact store beforehand. */
const MOST_INLINE = 1024 * 1024;

const tooLarge = ({ dispatchId, logBytes }: TaskReport, characters: number): TaskReport => ({
  dispatchId,
  logBytes,
  outcome: 'failed',
  cause: 'result_invalid',
  message: `The results have ${characters} characters of JSON, more than the ${MOST_INLINE} that a report may carry: upload large ones.`,
  retryable: false,
});

function finishRow(report: TaskReport, target: Target, tries: Tries | undefined): FinishRow {
  const branch =
    report.outcome === 'success' && report.branch ? { chosen: report.branch, all: report.skipAll ?? false } : null;
  const xcoms = xcomsOf(report, branch);
  if (xcoms !== null && xcoms.length > MOST_INLINE) return finishRow(tooLarge(report, xcoms.length), target, tries);
  const decision = report.outcome === 'failed' ? decideEnd(target, failureOf(report), tries) : null;
  return {
    ...target,
    ...(decision ? endOf(decision) : { outcome: report.outcome as TaskState, delay: null, isExtra: false }),
    expired: false,
    cause: report.cause,
    exitCode: report.exitCode ?? null,
    message: report.message ? storable(report.message) : null,
    evidence: evidenceOf(report.evidence ?? null, decision),
    logBytes: report.logBytes,
    startedAt: report.startedAt ? new Date(report.startedAt) : null,
    xcoms,
    branch,
    artifacts: report.artifacts && report.outcome === 'success' ? storable(JSON.stringify(report.artifacts)) : null,
  };
}

/** What a branch chose is kept beside its results: whoever clears a task must know whether it was left aside. */
function xcomsOf({ outcome, xcoms }: TaskReport, branch: BranchChoice | null): string | null {
  if (outcome !== 'success' || (!xcoms && !branch)) return null;
  return storable(JSON.stringify({ ...xcoms, ...(branch && { [BRANCH_KEY]: branch }) }));
}

const decideEnd = (target: Target, failure: Failure, tries: Tries | undefined): RetryDecision => {
  const { dag, runId, taskIndex, mapIndex } = target;
  const task = dag.tasks[taskIndex];
  if (!task) return { outcome: 'failed', rule: null };
  return decideRetry(task, failure, tries, `${runId}.${taskIndex}.${mapIndex}`);
};

const endOf = (decision: RetryDecision): Pick<FinishRow, 'outcome' | 'delay' | 'isExtra'> => {
  if (decision.outcome !== 'up_for_retry') return { outcome: decision.outcome, delay: null, isExtra: false };
  return { outcome: 'up_for_retry', delay: decision.delay, isExtra: decision.isExtra };
};

function failureOf({ cause, exitCode, message, evidence, retryable }: TaskReport): Failure {
  const { exceptions, exception } = evidence ?? {};
  const names = Array.isArray(exceptions) ? exceptions : [exception];
  return {
    cause,
    exitCode: exitCode ?? null,
    message: message ?? null,
    exceptions: names.filter((name) => typeof name === 'string'),
    retryable: retryable !== false,
  };
}

/** Which rule decided belongs to what is known about the end. */
function evidenceOf(evidence: { [key: string]: Json } | null, decision: RetryDecision | null): string | null {
  const rule = decision?.rule ?? null;
  const all = rule === null ? evidence : { ...evidence, retryRule: rule };
  return all && storable(JSON.stringify(all));
}

/** Postgres stores no NUL, neither in text nor in jsonb. */
const storable = (text: string): string =>
  text.replaceAll('\u0000', '\ufffd').replaceAll(/(?<!\\)((?:\\\\)*)\\u0000/g, '$1\\ufffd');
