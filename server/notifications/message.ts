/** What a notification says: title, text, and the same as data. Pure. */
import { fillMessage, type MessageName } from '#sdk/notify.ts';
import type { NotificationFacts, TryFacts } from '#db/queries/notification-facts.ts';

export interface Message {
  subject: string;
  text: string;
  link: string | null;
  /** By the names that texts and confs may use. */
  values: { [name in MessageName]: string };
}

export interface MessageInput {
  event: string;
  /** Null: a test. */
  facts: NotificationFacts | null;
  /** Of the rule; null: the usual text. */
  subject: string | null;
  body: string | null;
  /** Where people reach the page; null: nobody has said. */
  publicUrl: string | null;
}

const LOG_LINES = 20;
const MOST_LOG = 4_000;
const MOST_SUBJECT = 300;

/** The last lines of a log, without times and streams. */
export function logTail(log: string): string {
  const lines = log.split('\n').filter(Boolean);
  const text = lines.slice(-LOG_LINES).map((line) => line.replace(/^\S+ [oes] ?/, ''));
  return text.join('\n').slice(-MOST_LOG);
}

export function composeMessage({ event, facts, subject, body, publicUrl }: MessageInput): Message {
  const link = linkOf(facts, publicUrl);
  const values = valuesOf(event, facts, link);
  if (!facts) return { subject: '[Millrace] Test', text: withLink(['Notifications arrive here.'], link), link, values };
  const title = subject === null ? usualSubject(event, facts) : fillMessage(subject, values);
  return {
    subject: title.replaceAll(/\s+/g, ' ').trim().slice(0, MOST_SUBJECT),
    text: body === null ? withLink(usualText(event, facts), link) : fillMessage(body, values),
    link,
    values,
  };
}

function linkOf(facts: NotificationFacts | null, publicUrl: string | null): string | null {
  if (publicUrl === null) return null;
  const page = facts ? `/dags/${encodeURIComponent(facts.run.dag_name)}/runs/${facts.run.run_id}` : '/';
  return `${publicUrl.replace(/\/+$/, '')}${page}${facts?.task ? `?task=${encodeURIComponent(facts.task.task_id)}` : ''}`;
}

const iso = (date: Date | null | undefined): string => date?.toISOString() ?? '';

function valuesOf(event: string, facts: NotificationFacts | null, link: string | null): Message['values'] {
  const { run, task, dueAt = null } = facts ?? {};
  const ended = task ?? (facts?.failed.length === 1 ? facts.failed[0] : undefined);
  return {
    event,
    dag_id: run?.dag_name ?? '',
    run_id: String(run?.run_id ?? ''),
    run_key: run?.run_key ?? '',
    run_state: run?.state ?? '',
    logical_date: iso(run?.logical_date),
    task_id: task?.task_id ?? '',
    map_index: task && task.map_index >= 0 ? String(task.map_index) : '',
    try_number: String(task?.try_number ?? ''),
    max_tries: String(task?.max_tries ?? ''),
    cause: ended?.cause ?? '',
    message: ended?.message ?? '',
    exit_code: ended?.exit_code == null ? '' : String(ended.exit_code),
    log_tail: logTail(facts?.log ?? ''),
    due_at: iso(dueAt),
    started_at: iso(task ? task.started_at : run?.started_at),
    ended_at: iso(task ? task.ended_at : run?.ended_at),
    link: link ?? '',
  };
}

const nameOf = ({ task_id, map_index }: TryFacts): string => (map_index < 0 ? task_id : `${task_id}[${map_index}]`);

const SAYS: { [event: string]: string } = {
  success: 'succeeded',
  failure: 'failed',
  retry: 'failed and is tried again',
  skipped: 'was skipped',
  slow: 'is slow',
  deadline: 'missed its deadline',
};

function usualSubject(event: string, { run, task }: NotificationFacts): string {
  const says = SAYS[event] ?? event;
  if (!task) return `[Millrace] ${run.dag_name} ${says} (${run.run_key})`;
  const tries = event === 'retry' || event === 'failure' ? ` (try ${task.try_number} of ${task.max_tries})` : '';
  return `[Millrace] ${run.dag_name}: ${nameOf(task)} ${says}${tries}`;
}

function usualText(event: string, facts: NotificationFacts): string[] {
  const { run, task, failed, dueAt } = facts;
  const says = SAYS[event] ?? event;
  const subject = task
    ? `Task ${nameOf(task)} of run ${run.run_key} of DAG ${run.dag_name}`
    : `Run ${run.run_key} of DAG ${run.dag_name}`;
  const lines = [`${subject} ${says}.`];
  if (dueAt) lines.push(`It should have ended by ${iso(dueAt)}; its state is ${run.state}.`);
  if (task && event !== 'success') lines.push(...whyLines(task));
  if (event === 'failure' && failed.length > 0) {
    lines.push('', 'What failed:');
    for (const one of failed) lines.push(`- ${nameOf(one)}: ${[one.cause, one.message].filter(Boolean).join(', ')}`);
  }
  const times = task ?? run;
  if (times.started_at)
    lines.push('', `Started ${iso(times.started_at)}${times.ended_at ? `, ended ${iso(times.ended_at)}` : ''}.`);
  const tail = event === 'success' ? '' : logTail(facts.log);
  if (tail) lines.push('', 'The last lines of the log:', tail);
  return lines;
}

function whyLines({ cause, message, exit_code }: TryFacts): string[] {
  if (cause === null) return [];
  return [
    `Cause: ${cause}${exit_code === null ? '' : ` (exit code ${exit_code})`}`,
    ...(message === null ? [] : [message]),
  ];
}

const withLink = (lines: string[], link: string | null): string => (link ? [...lines, '', link] : lines).join('\n');
