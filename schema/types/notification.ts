import { z } from 'zod';
import { recordAudit } from '#db/queries/audit.ts';
import { findConnections } from '#db/queries/connections.ts';
import {
  findNotifications,
  insertTestNotification,
  listNotifications,
  NOTIFICATION_STATES,
  retryNotification,
  type NotificationRow,
} from '#db/queries/notifications.ts';
import { MESSAGE_KINDS } from '#sdk/connections.ts';
import { builder } from '../builder.ts';
import { keysetConnection, pageComplexity, parseInteger } from '../connection.ts';
import { actorOf, type Context } from '../context.ts';
import { ConflictError, NotFoundError, ValidationError } from '../errors.ts';
import { parseNumericId } from '../global-id.ts';
import { loadById } from '../load-by-id.ts';
import { findDagByName } from '#db/queries/dags.ts';
import { DagRunNode } from './dag-run.ts';

const ABOUT = {
  pending: 'Still to be sent, or to be sent again.',
  sent: 'The other side has taken it.',
  dead: 'Given up: see `lastError`.',
};
const NotificationStateEnum = builder.enumType('NotificationState', {
  description: 'Where a notification stands.',
  values: Object.fromEntries(
    NOTIFICATION_STATES.map((state) => [state.toUpperCase(), { value: state, description: ABOUT[state] }]),
  ) as {
    [K in Uppercase<NotificationRow['state'] & (typeof NOTIFICATION_STATES)[number]>]: {
      value: Lowercase<K>;
      description: string;
    };
  },
});

export const NotificationNode = builder.loadableNode('Notification', {
  description: 'Something that somebody is told: one event for one target.',
  authScopes: { read: true },
  id: { resolve: (row: NotificationRow) => row.id },
  load: (ids: string[], ctx: Context) => loadById(ids, (known) => findNotifications(ctx.db, known)),
  fields: (t) => ({
    event: t.exposeString('event', { description: 'success, failure, retry, skipped, slow, deadline, or test.' }),
    state: t.field({
      type: NotificationStateEnum,
      description: 'Where it stands.',
      resolve: (row) => row.state as (typeof NOTIFICATION_STATES)[number],
    }),
    rule: t.exposeString('rule', { description: 'Where the rule stands in the DAG’s spec: `notify[0]`.' }),
    connectionId: t.exposeString('connection', {
      nullable: true,
      description: 'Over which it goes; null: a callback.',
    }),
    destination: t.field({
      type: 'JSON',
      description: 'The target as the rule says: `{connection, recipients}` or `{callback}`.',
      resolve: (row) => row.destination,
    }),
    run: t.field({
      type: DagRunNode,
      nullable: true,
      description: 'What it is about; null for a test.',
      resolve: (row) => (row.run_id === null ? null : String(row.run_id)),
    }),
    taskIndex: t.int({
      nullable: true,
      description: 'Place of the task in the run’s version; null when it is about the run.',
      resolve: (row) => (row.task_index < 0 ? null : row.task_index),
    }),
    mapIndex: t.exposeInt('map_index', { description: 'Place among the mapped instances; -1: not mapped.' }),
    tryNumber: t.exposeInt('try_number', { description: 'Of the task; 0 when it is about the run.' }),
    attempts: t.exposeInt('attempts', { description: 'How often it has been sent.' }),
    lastError: t.exposeString('last_error', { nullable: true, description: 'Why it did not arrive the last time.' }),
    createdAt: t.expose('created_at', { type: 'DateTime', description: 'When the event was read.' }),
    nextAttemptAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When it is sent next; null when it has ended.',
      resolve: (row) => (row.state === 'pending' ? row.due_at : null),
    }),
    endedAt: t.expose('ended_at', {
      type: 'DateTime',
      nullable: true,
      description: 'When it arrived or was given up.',
    }),
  }),
});

const RetryNotificationInput = builder.inputType('RetryNotificationInput', {
  description: 'Which notification to send again.',
  fields: (t) => ({ id: t.id({ required: true, description: 'Its global id.' }) }),
});
const TestNotificationInput = builder.inputType('TestNotificationInput', {
  description: 'Where a test is to arrive.',
  fields: (t) => ({
    connectionId: t.string({ required: true, description: 'A connection of kind webhook, slack or smtp.' }),
    recipients: t.stringList({
      description: 'Mail addresses; those of the connection when not given.',
      validate: z.array(z.email().max(300)).max(100),
    }),
  }),
});

async function retry(ctx: Context, id: string): Promise<NotificationRow> {
  const number = parseNumericId('Notification', id) ?? 0;
  const actor = actorOf(ctx);
  const row = await ctx.db.transaction().execute(async (trx) => {
    const retried = await retryNotification(trx, number);
    if (retried) await recordAudit(trx, { actor, action: 'retry_notification', object: String(number) });
    return retried;
  });
  if (row) return row;
  const [found] = await findNotifications(ctx.db, [number]);
  if (!found) throw new NotFoundError(`notification "${id}"`);
  throw new ConflictError('NOT_DEAD', `Notification ${number} has not been given up: it is ${found.state}.`);
}

async function test(ctx: Context, connection: string, recipients: readonly string[]): Promise<NotificationRow> {
  const [found] = await findConnections(ctx.db, [connection]);
  if (!found) throw new NotFoundError(`connection "${connection}"`);
  if (!(MESSAGE_KINDS as readonly string[]).includes(found.kind)) {
    const message = `'${connection}' is of kind ${found.kind}. Messages go over ${MESSAGE_KINDS.join(', ')}.`;
    throw new ValidationError([{ path: ['input', 'connectionId'], message }]);
  }
  return ctx.db.transaction().execute(async (trx) => {
    await recordAudit(trx, { actor: actorOf(ctx), action: 'test_notification', object: connection });
    return insertTestNotification(trx, { connection, recipients: [...recipients] });
  });
}

builder.mutationFields((t) => ({
  retryNotification: t.field({
    type: NotificationNode,
    authScopes: { edit: true },
    errors: { types: [NotFoundError, ConflictError] },
    description: 'Sends a notification again that was given up.',
    args: { input: t.arg({ type: RetryNotificationInput, required: true }) },
    resolve: (_root, { input }, ctx) => retry(ctx, input.id),
  }),
  testNotification: t.field({
    type: NotificationNode,
    authScopes: { edit: true },
    errors: { types: [NotFoundError, ValidationError] },
    description: 'Sends a test over a connection. Ask for the notification again to see how it ended.',
    args: { input: t.arg({ type: TestNotificationInput, required: true }) },
    resolve: (_root, { input }, ctx) => test(ctx, input.connectionId, input.recipients ?? []),
  }),
}));

builder.queryFields((t) => ({
  notifications: t.connection({
    type: NotificationNode,
    authScopes: { read: true },
    complexity: pageComplexity,
    description: 'What people and other systems have been told, newest first. Kept for 30 days.',
    args: {
      state: t.arg({ type: NotificationStateEnum, description: 'Only in this state.' }),
      dagId: t.arg.string({ description: 'Only of this DAG.' }),
      runId: t.arg.id({ description: 'Only of this run, by its bare or global id.' }),
    },
    resolve: async (_root, { state, dagId, runId, ...page }, ctx) => {
      const dag = dagId == null ? null : ((await findDagByName(ctx.db, dagId))?.id ?? 0);
      const run = runId == null ? null : (parseNumericId('DagRun', runId) ?? 0);
      return keysetConnection(page, {
        toKey: (row: NotificationRow) => row.id,
        parseKey: parseInteger,
        load: (keys) => listNotifications(ctx.db, { state: state ?? null, dagId: dag, runId: run }, keys),
      });
    },
  }),
}));
