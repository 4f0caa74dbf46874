/** Decides the approvals of a trial: as was given with the call, or as a person at the terminal says. */
import { findApproval, listApprovals, type ApprovalRow } from '#db/queries/approvals.ts';
import type { TaskKey } from '#db/queries/task-instances.ts';
import { formatDispatchId } from '#db/engine/dispatch-id.ts';
import { decisionReport, type ApprovalRequest } from '#schema/approval-decision.ts';
import type { TaskReport } from '#sdk/protocol.ts';
import type { Core } from '../roles/engine.ts';
import type { Answer } from './approval-answer.ts';

export interface DecidingOptions {
  given: ReadonlyMap<string, Answer>;
  /** Null: nobody is there. */
  ask: ((question: { name: string; request: ApprovalRequest; signal: AbortSignal }) => Promise<Answer | null>) | null;
  note(text: string): void;
  onError(error: unknown): void;
}

/** The net under a lost notification, and how soon a question whose time is over goes away. */
const LOOK_AGAIN_MS = 1_000;
const PAGE = 100;

/** Returns its end. */
export function startDeciding(
  core: Pick<Core, 'db' | 'engine' | 'listener'>,
  options: DecidingOptions,
): () => Promise<void> {
  const { db, engine, listener } = core;
  const { given, ask, note } = options;
  const seen = new Set<string>();
  const over = new AbortController();
  let looking: Promise<void> | undefined;
  /** One after the other: there is one terminal. */
  let questions = Promise.resolve();
  let again = false;

  async function look(): Promise<void> {
    do {
      again = false;
      for await (const row of allApprovals(db)) {
        if (over.signal.aborted) return;
        if (seen.has(row.dispatch_id)) continue;
        seen.add(row.dispatch_id);
        await decide(row);
      }
    } while (again && !over.signal.aborted);
  }

  async function decide(row: ApprovalRow): Promise<void> {
    const request = row.spec as unknown as ApprovalRequest;
    const taskId = engine.versions.ofRun(row.run_id)?.tasks[row.task_index]?.taskId ?? '';
    const name = row.map_index < 0 ? taskId : `${taskId}[${row.map_index}]`;
    const known = given.get(taskId);
    const settle = (answer: Answer) => report(row, decisionReport(request, { ...answer, by: 'you', note: null }));
    const leave = async () => {
      if (row.timeout_at && request.default !== null) note(waitsForTimeout(name, row.timeout_at, request));
      else await report(row, nobodyDecides(taskId, request));
    };
    if (known) return settle(known);
    if (ask === null) return leave();
    const question = async () => {
      if (over.signal.aborted || !(await isOpen(row))) return;
      const answer = await asked(ask, { name, request }, row);
      if (answer) await settle(answer);
      else if (!over.signal.aborted && (await isOpen(row))) await leave();
    };
    questions = questions.then(question).catch(options.onError);
  }

  const isOpen = async (row: ApprovalRow) => (await findApproval(db, keyOf(row)))?.dispatch_id === row.dispatch_id;

  /** The question goes away when its time is over. */
  async function asked(
    person: NonNullable<typeof ask>,
    question: { name: string; request: ApprovalRequest },
    row: ApprovalRow,
  ): Promise<Answer | null> {
    const late = new AbortController();
    const check = setInterval(
      () => void isOpen(row).then((open) => open || late.abort(), options.onError),
      LOOK_AGAIN_MS,
    );
    try {
      return await person({ ...question, signal: AbortSignal.any([over.signal, late.signal]) });
    } finally {
      clearInterval(check);
    }
  }

  async function report(row: ApprovalRow, settled: Omit<TaskReport, 'dispatchId' | 'logBytes'>): Promise<void> {
    const dispatchId = formatDispatchId({ ...keyOf(row), uuid: row.dispatch_id });
    await engine.report({ workerId: null, reports: [{ ...settled, dispatchId, logBytes: 0 }] });
  }

  function wake(): void {
    again = true;
    looking ??= look()
      .catch(options.onError)
      .finally(() => (looking = undefined));
  }
  const off = listener.on('millrace_event', wake);
  const timer = setInterval(wake, LOOK_AGAIN_MS);
  return async () => {
    over.abort();
    off();
    clearInterval(timer);
    await looking;
    await questions;
  };
}

/** Oldest run first. */
async function* allApprovals(db: Core['db']): AsyncGenerator<ApprovalRow> {
  for (let after: TaskKey | undefined; ;) {
    const page = await listApprovals(db, null, { limit: PAGE, inverted: false, ...(after && { after }) });
    yield* page;
    const last = page.at(-1);
    if (page.length < PAGE || !last) return;
    after = keyOf(last);
  }
}

const keyOf = (row: ApprovalRow) => ({ runId: row.run_id, taskIndex: row.task_index, mapIndex: row.map_index });

const waitsForTimeout = (name: string, until: Date, { default: option }: ApprovalRequest): string =>
  `"${name}" takes "${option}" at ${until.toLocaleTimeString('sv-SE')}, as nobody is here to decide; --decide ${name}=<option> does it at once.`;

const nobodyDecides = (taskId: string, { options }: ApprovalRequest): Omit<TaskReport, 'dispatchId' | 'logBytes'> => ({
  outcome: 'failed',
  cause: 'wait_timeout',
  message: `Nobody is here to decide: give --decide ${taskId}=<option>, one of ${options.join(', ')}.`,
  retryable: false,
});
