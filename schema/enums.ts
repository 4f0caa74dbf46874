import { OVERLAPS } from '#sdk/dag-spec.ts';
import { RUN_KINDS, RUN_STATES, TASK_STATES } from '#sdk/states.ts';
import { builder } from './builder.ts';
import { ROLES } from './context.ts';

/** The database says `up_for_retry`, GraphQL UP_FOR_RETRY. */
type Values<T extends string> = { [K in Uppercase<T>]: { value: T; description: string } };

function values<T extends string>(names: readonly T[], about: { [K in T]: string }): Values<T> {
  const entries = names.map((name) => [name.toUpperCase(), { value: name, description: about[name] }]);
  return Object.fromEntries(entries) as Values<T>;
}

export const TaskStateEnum = builder.enumType('TaskState', {
  description: 'Where a task instance stands.',
  values: values(TASK_STATES, {
    none: 'Waits for its upstreams.',
    scheduled: 'Ready, held back by a limit.',
    queued: 'May start now; waits for a free slot of a worker.',
    running: 'Handed to a worker.',
    success: 'Done.',
    failed: 'Its last try failed.',
    skipped: 'Left out by a branch, a rule or itself.',
    upstream_failed: 'Not run, for an upstream failed.',
    up_for_retry: 'The last try failed; the next starts after the retry delay.',
    up_for_reschedule: 'Waits to look again.',
    deferred: 'Waits for something outside.',
    cancelled: 'Ended with its run by a person.',
    removed: 'No longer part of the DAG.',
  }),
});

export const OverlapEnum = builder.enumType('Overlap', {
  description: 'What becomes of a scheduled run that is due while one before it is queued or running.',
  values: values(OVERLAPS, {
    allow: 'It is made, and starts when the limit of active runs has room.',
    skip: 'It is left out.',
    buffer_one: 'It waits, but only one does: further ones are left out.',
    cancel_running: 'It is made, and those before it are cancelled.',
  }),
});

export const RunStateEnum = builder.enumType('RunState', {
  description: 'Where a run stands.',
  values: values(RUN_STATES, {
    queued: 'Waits for room under the limit of active runs.',
    running: 'Has unfinished tasks.',
    success: 'All tasks finished, and no leaf failed.',
    failed: 'All tasks finished, and a leaf failed; or a rule ended it as failed (see endReason).',
    cancelled: 'Ended before its tasks were (see endReason).',
  }),
});

export const RunKindEnum = builder.enumType('RunKind', {
  description: 'Where a run comes from.',
  values: values(RUN_KINDS, {
    manual: 'A person or a program asked for it.',
    scheduled: 'The timetable.',
    backfill: 'A backfill of past intervals.',
    asset: 'An asset was updated.',
  }),
});

export const RoleEnum = builder.enumType('Role', {
  description: 'What a caller may do.',
  values: values(ROLES, {
    viewer: 'See everything.',
    editor: 'And deploy, trigger, cancel, clear, mark and pause.',
    admin: 'And make tokens and delete.',
    worker: 'Claim and report tasks; see nothing else.',
    runner: 'Report one dispatch; see nothing else.',
  }),
});

export const EventKindEnum = builder.enumType('EventKind', {
  description: 'What a message of a subscription means.',
  values: {
    CHANGE: { description: 'Something happened.' },
    RESYNC: {
      description: 'Messages are missing before this one: read the snapshot again. What follows comes after `cursor`.',
    },
  } as const,
});

export const LogStreamEnum = builder.enumType('LogStream', {
  description: 'Who wrote a line.',
  values: {
    STDOUT: { value: 'stdout', description: 'The task, to its output.' },
    STDERR: { value: 'stderr', description: 'The task, to its error output.' },
    SYSTEM: { value: 'system', description: 'Millrace.' },
  } as const,
});
