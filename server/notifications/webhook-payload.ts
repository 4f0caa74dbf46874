import type { Json } from '#sdk/protocol.ts';
import type { NotificationFacts, TryFacts } from '#db/queries/notification-facts.ts';
import { logTail, type Message } from './message.ts';

/** The body of a webhook, version 1: docs/notifications.md. Fields are added, never changed. */
export function webhookPayload(
  { id, event, created_at }: { id: number; event: string; created_at: Date },
  facts: NotificationFacts | null,
  { subject, text, link }: Message,
): { [key: string]: Json } {
  return {
    version: 1,
    id: String(id),
    event,
    at: created_at.toISOString(),
    subject,
    text,
    link,
    run: facts && {
      dagId: facts.run.dag_name,
      runId: String(facts.run.run_id),
      runKey: facts.run.run_key,
      state: facts.run.state.toUpperCase(),
      logicalDate: iso(facts.run.logical_date),
      startedAt: iso(facts.run.started_at),
      endedAt: iso(facts.run.ended_at),
    },
    task: facts?.task ? taskOf(facts.task) : null,
    failedTasks: (facts?.failed ?? []).map(taskOf),
    dueAt: iso(facts?.dueAt ?? null),
    logTail: logTail(facts?.log ?? ''),
  };
}

const iso = (date: Date | null): string | null => date?.toISOString() ?? null;

const taskOf = (task: TryFacts): { [key: string]: Json } => ({
  taskId: task.task_id,
  mapIndex: task.map_index,
  tryNumber: task.try_number,
  maxTries: task.max_tries,
  cause: task.cause,
  message: task.message,
  exitCode: task.exit_code,
  startedAt: iso(task.started_at),
  endedAt: iso(task.ended_at),
});
