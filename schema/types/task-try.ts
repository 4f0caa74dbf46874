import type { TaskTryRow } from '#db/queries/task-tries.ts';
import { builder } from '../builder.ts';
import { TaskStateEnum } from '../enums.ts';
import { WorkerNode } from './worker.ts';

export const TaskTryType = builder.objectRef<TaskTryRow>('TaskTry').implement({
  description: 'One finished attempt of a task instance.',
  authScopes: { read: true },
  fields: (t) => ({
    tryNumber: t.exposeInt('try_number', { description: 'Counts from 1.' }),
    outcome: t.expose('outcome', { type: TaskStateEnum, description: 'How it ended.' }),
    cause: t.exposeString('cause', {
      nullable: true,
      description: 'Why, from a closed list: ok, exit_code, exception, oom_killed, timeout, lease_expired, …',
    }),
    exitCode: t.exposeInt('exit_code', { nullable: true, description: 'Of the process, where there was one.' }),
    message: t.exposeString('message', { nullable: true, description: 'One or two lines for people.' }),
    evidence: t.field({
      type: 'JSON',
      nullable: true,
      description: 'Facts behind the cause: signal, limits, peak memory, stack.',
      resolve: (row) => row.evidence,
    }),
    queuedAt: t.expose('queued_at', { type: 'DateTime', nullable: true, description: 'When it might have started.' }),
    startedAt: t.expose('started_at', { type: 'DateTime', nullable: true, description: 'When a worker took it.' }),
    endedAt: t.expose('ended_at', { type: 'DateTime', description: 'When its end was recorded.' }),
    logBytes: t.float({
      description: 'Length of its log in bytes, as its runner counted.',
      resolve: (row) => row.log_bytes,
    }),
    worker: t.field({
      type: WorkerNode,
      nullable: true,
      description: 'Who ran it; null when it was never launched.',
      resolve: (row) => (row.worker_id === null ? null : String(row.worker_id)),
    }),
  }),
});
