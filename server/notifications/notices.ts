/** What an event means to the rules of its DAG. Pure. */
import type { Deadline, NotifyEvent, NotifyTarget, TaskNotifyRule } from '#sdk/notify.ts';
import type { TaskState } from '#sdk/states.ts';
import type { TransitionTuple } from '#db/queries/events.ts';

/** A rule with the tasks that it is about by index; null: the run. */
export interface PlannedRule extends TaskNotifyRule {
  /** Where it stands in the spec. */
  path: string;
  tasks: ReadonlySet<number> | 'all' | null;
}
export interface NotifyPlan {
  versionId: number;
  rules: readonly PlannedRule[];
  deadlines: readonly Deadline[];
}

/** A task's try, or (taskIndex -1) the run. */
export interface Subject {
  taskIndex: number;
  mapIndex: number;
  tryNumber: number;
}
export const THE_RUN: Subject = { taskIndex: -1, mapIndex: -1, tryNumber: 0 };

export interface Notice extends Subject {
  event: NotifyEvent;
  runId: number;
  runSeq: number;
  rule: string;
  target: number;
  destination: NotifyTarget;
  subject: string | null;
  body: string | null;
}

/** A clock that starts. */
export interface NewDeadline extends Subject {
  kind: 'deadline' | 'slow';
  rule: string;
  /** Seconds after `from`. */
  within: number;
  from: { at: Date } | { reference: Deadline['after']; runs: number; minRuns: number };
}

export interface Meaning {
  notices: Notice[];
  start: NewDeadline[];
  /** Clocks that stop. Null: all of the run. */
  stop: Subject[] | null;
}

export interface RunEvent {
  runId: number;
  runSeq: number;
  at: Date;
  body: { run?: string; t?: TransitionTuple[] };
}

const TASK_EVENTS: { [state in TaskState]?: NotifyEvent } = {
  success: 'success',
  failed: 'failure',
  up_for_retry: 'retry',
  skipped: 'skipped',
};
const RUN_EVENTS: { [state: string]: NotifyEvent } = { success: 'success', failed: 'failure' };
const ENDED = new Set(['success', 'failed', 'cancelled']);

export function meaningOf(plan: NotifyPlan, event: RunEvent): Meaning {
  const { run, t = [] } = event.body;
  const meaning: Meaning = { notices: [], start: [], stop: [] };
  for (const transition of t) readTransition(plan, event, transition, meaning);
  if (run === undefined) return meaning;
  if (event.runSeq === 1) meaning.start.push(...plan.deadlines.map(deadlineOf));
  if (run === 'running') meaning.start.push(...slowOf(plan, null, THE_RUN, event.at));
  const what = RUN_EVENTS[run];
  if (what) meaning.notices.push(...noticesOf(plan, { ...event, event: what }, THE_RUN));
  if (ENDED.has(run)) meaning.stop = null;
  return meaning;
}

function readTransition(plan: NotifyPlan, event: RunEvent, transition: TransitionTuple, meaning: Meaning): void {
  const [taskIndex, mapIndex, state, tryNumber, cause] = transition;
  const subject = { taskIndex, mapIndex, tryNumber };
  const what = TASK_EVENTS[state];
  // What a person marks, or a rule or a branch leaves out, has no cause of its own: that is no news
  const isNews = cause != null && cause !== 'marked' && tryNumber > 0;
  if (what && isNews) meaning.notices.push(...noticesOf(plan, { ...event, event: what }, subject));
  if (state === 'running') meaning.start.push(...slowOf(plan, taskIndex, subject, event.at));
  else if (plan.rules.some((rule) => rule.slowAfter !== null && isAbout(rule, taskIndex))) meaning.stop?.push(subject);
}

/** `taskIndex` null: the run. */
const isAbout = ({ tasks }: PlannedRule, taskIndex: number | null): boolean =>
  taskIndex === null ? tasks === null : tasks === 'all' || (tasks?.has(taskIndex) ?? false);

/** Everybody whom the rules name for this. */
export function noticesOf(
  { rules }: NotifyPlan,
  about: { event: NotifyEvent; runId: number; runSeq: number },
  subject: Subject,
): Notice[] {
  const { event, runId, runSeq } = about;
  const taskIndex = subject.taskIndex < 0 ? null : subject.taskIndex;
  return rules
    .filter((rule) => rule.on.includes(event) && isAbout(rule, taskIndex))
    .flatMap((rule) =>
      rule.to.map((destination, target) => {
        const { subject: title, body } = rule;
        return { ...subject, event, runId, runSeq, rule: rule.path, target, destination, subject: title, body };
      }),
    );
}

const deadlineOf = ({ after, within, at, runs, minRuns }: Deadline, i: number): NewDeadline => ({
  ...THE_RUN,
  kind: 'deadline',
  rule: `deadline[${i}]`,
  within,
  from: after === 'fixed' ? { at: new Date(at ?? 0) } : { reference: after, runs, minRuns },
});

function slowOf({ rules }: NotifyPlan, taskIndex: number | null, subject: Subject, at: Date): NewDeadline[] {
  return rules.flatMap((rule) =>
    rule.slowAfter !== null && rule.on.includes('slow') && isAbout(rule, taskIndex)
      ? [{ ...subject, kind: 'slow' as const, rule: rule.path, within: rule.slowAfter, from: { at } }]
      : [],
  );
}

/** Whom a clock that ran out is told to: the rule or deadline that set it, and for deadlines the rules with `deadline`. */
export function overdueNotices(
  plan: NotifyPlan,
  clock: Subject & { runId: number; kind: string; rule: string },
): Notice[] {
  const { runId, kind, rule, taskIndex, mapIndex, tryNumber } = clock;
  const subject = { taskIndex, mapIndex, tryNumber };
  if (kind === 'slow') {
    const own = { ...plan, rules: plan.rules.filter((one) => one.path === rule) };
    return noticesOf(own, { event: 'slow', runId, runSeq: 0 }, subject);
  }
  const [, index = ''] = /^deadline\[(\d+)\]$/.exec(rule) ?? [];
  const own = (plan.deadlines[Number(index)]?.notify ?? []).map((destination, target) => {
    return {
      ...subject,
      event: 'deadline' as const,
      runId,
      runSeq: 0,
      rule,
      target,
      destination,
      subject: null,
      body: null,
    };
  });
  // Of several deadlines of a run each is told by its own
  const shared = noticesOf(plan, { event: 'deadline', runId, runSeq: 0 }, subject);
  return [...own, ...shared.map((notice) => ({ ...notice, rule: `${notice.rule} ${rule}` }))];
}
