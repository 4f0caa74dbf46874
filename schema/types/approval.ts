/** What waits for a person, and the decision. */
import { findApproval, lastDecision, listApprovals, type ApprovalRow } from '#db/queries/approvals.ts';
import { recordAudit } from '#db/queries/audit.ts';
import type { TaskKey } from '#db/queries/task-instances.ts';
import { formatDispatchId } from '#db/engine/dispatch-id.ts';
import { decisionReport, fillForm, mayDecide, type ApprovalRequest } from '../approval-decision.ts';
import { builder } from '../builder.ts';
import { keysetConnection, pageComplexity } from '../connection.ts';
import { actorOf, type Context } from '../context.ts';
import { ConflictError, NotFoundError, ValidationError } from '../errors.ts';
import { parseTaskInstanceId } from '../global-id.ts';
import { storableText } from '../storable-text.ts';
import { formatTaskKey, parseTaskKey, taskKeyOf } from '../task-key.ts';
import { TaskInstanceNode } from './task-instance.ts';

const requestOf = (row: ApprovalRow): ApprovalRequest => row.spec as unknown as ApprovalRequest;

const ApprovalType = builder.objectRef<ApprovalRow>('Approval').implement({
  description: 'A task that waits for a person’s decision.',
  authScopes: { read: true },
  fields: (t) => ({
    taskInstance: t.field({
      type: TaskInstanceNode,
      description: 'The task that waits.',
      resolve: (row) => formatTaskKey(taskKeyOf(row)),
    }),
    subject: t.string({ description: 'What is to be decided.', resolve: (row) => requestOf(row).subject }),
    body: t.string({
      nullable: true,
      description: 'More about it, in Markdown.',
      resolve: (row) => requestOf(row).body,
    }),
    options: t.stringList({ description: 'What may be chosen.', resolve: (row) => requestOf(row).options }),
    rejections: t.stringList({
      description: 'Those of the options that say no.',
      resolve: (row) => requestOf(row).rejections,
    }),
    form: t.field({
      type: 'JSON',
      nullable: true,
      description: 'JSON Schema of what is filled in with the decision.',
      resolve: (row) => requestOf(row).form,
    }),
    users: t.stringList({ description: 'Who may decide, by name.', resolve: (row) => requestOf(row).users }),
    roles: t.stringList({
      description: 'Who may decide, by role. With no users and no roles every editor may.',
      resolve: (row) => requestOf(row).roles,
    }),
    defaultOption: t.string({
      nullable: true,
      description: 'What is taken when the time is over.',
      resolve: (row) => requestOf(row).default,
    }),
    askedAt: t.expose('created_at', { type: 'DateTime', description: 'Since when it waits.' }),
    timeoutAt: t.expose('timeout_at', { type: 'DateTime', nullable: true, description: 'Until when it waits.' }),
    canDecide: t.boolean({
      description: 'You may.',
      resolve: (row, _args, ctx) => isDecidableBy(ctx, requestOf(row)),
    }),
  }),
});

const isDecidableBy = ({ viewer }: Context, request: ApprovalRequest): boolean =>
  viewer !== null && (viewer.role === 'editor' || viewer.role === 'admin') && mayDecide(request, viewer);

builder.queryField('approvals', (t) =>
  t.connection({
    type: ApprovalType,
    authScopes: { read: true },
    complexity: pageComplexity,
    description: 'What waits for a decision, oldest run first. `events(states: [DEFERRED])` tells of new ones.',
    args: { mine: t.arg.boolean({ defaultValue: false, description: 'Only what you may decide.' }) },
    resolve: (_root, args, ctx) =>
      keysetConnection(args, {
        toKey: (row: ApprovalRow) => formatTaskKey(taskKeyOf(row)),
        parseKey: (text) => (parseTaskKey(text) ? text : undefined),
        load: ({ after, before, ...page }) =>
          listApprovals(ctx.db, args.mine ? ctx.viewer : null, { ...page, after: keyOf(after), before: keyOf(before) }),
      }),
  }),
);

const keyOf = (text: string | undefined): TaskKey | undefined =>
  text === undefined ? undefined : (parseTaskKey(text) ?? undefined);

const DecideApprovalInput = builder.inputType('DecideApprovalInput', {
  description: 'A decision.',
  fields: (t) => ({
    taskInstanceId: t.id({ required: true, description: 'The task’s global id, or `<runId>.<taskIndex>.<mapIndex>`.' }),
    decision: t.string({ required: true, description: 'One of its options.' }),
    form: t.field({ type: 'JSON', description: 'What was filled in.' }),
    note: t.string({ description: 'Why, for others; at most 2000 characters.', validate: storableText(2_000) }),
  }),
});

async function decide(ctx: Context, input: typeof DecideApprovalInput.$inferInput): Promise<string> {
  const key = parseTaskInstanceId(input.taskInstanceId);
  if (!key) throw new NotFoundError(`task instance "${input.taskInstanceId}"`);
  const row = await findApproval(ctx.db, key);
  if (!row) return alreadyDecided(ctx, key, input.decision);
  const request = requestOf(row);
  if (!isDecidableBy(ctx, request))
    throw new ConflictError('NOT_YOURS', `Only ${[...request.users, ...request.roles].join(', ')} may decide this.`);
  const form = checkDecision(request, input);
  const by = actorOf(ctx);
  const decision = { option: input.decision, form, by, note: input.note ?? null };
  const report = { ...decisionReport(request, decision), logBytes: 0 };
  const dispatchId = formatDispatchId({ ...key, uuid: row.dispatch_id });
  const { answers } = await ctx.engine.report({ workerId: null, reports: [{ ...report, dispatchId }] });
  if (answers[0] !== 'ACCEPTED') return alreadyDecided(ctx, key, input.decision);
  const detail = { decision: input.decision, note: input.note ?? null };
  await recordAudit(ctx.db, { actor: by, action: 'approval.decide', object: formatTaskKey(key), detail });
  return formatTaskKey(key);
}

/** The same decision by the same person is no mistake: its answer was lost. */
async function alreadyDecided(ctx: Context, key: TaskKey, option: string): Promise<string> {
  const last = await lastDecision(ctx.db, key);
  if (last?.decision === option && last.by === actorOf(ctx)) return formatTaskKey(key);
  const message = last
    ? `It was decided already: ${last.by ?? 'the timeout'} chose '${last.decision}'.`
    : 'This task does not wait for a decision.';
  throw new ConflictError('NOT_WAITING', message);
}

function checkDecision(request: ApprovalRequest, input: typeof DecideApprovalInput.$inferInput) {
  if (!request.options.includes(input.decision))
    throw new ValidationError([
      { path: ['input', 'decision'], message: `is none of the options: ${request.options.join(', ')}` },
    ]);
  const filled = fillForm(request, input.decision, input.form ?? {});
  if ('form' in filled) return filled.form;
  throw new ValidationError(filled.issues.map(({ path, message }) => ({ path: ['input', 'form', ...path], message })));
}

builder.mutationField('decideApproval', (t) =>
  t.field({
    type: TaskInstanceNode,
    authScopes: { edit: true },
    errors: { types: [NotFoundError, ConflictError, ValidationError] },
    description: 'Decides what a task waits for. The first decision counts; the same one again changes nothing.',
    args: { input: t.arg({ type: DecideApprovalInput, required: true }) },
    resolve: (_root, { input }, ctx) => decide(ctx, input),
  }),
);
