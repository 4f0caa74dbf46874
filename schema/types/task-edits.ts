import { z } from 'zod';
import type { EditedTask } from '#db/engine/edit-tasks.ts';
import { builder } from '../builder.ts';
import { actorOf, type Context } from '../context.ts';
import { ConflictError, NotFoundError, ValidationError } from '../errors.ts';
import { formatTaskKey } from '../task-key.ts';
import { DagRunNode, requireDagRun } from './dag-run.ts';
import { TaskInstanceNode } from './task-instance.ts';

const mapIndexes = z.array(z.int().min(0)).min(1).max(10_000);
const taskIds = z.array(z.string().min(1).max(200)).min(1).max(10_000);

const ClearTasksInput = builder.inputType('ClearTasksInput', {
  description: 'Tasks to run again.',
  fields: (t) => ({
    runId: t.id({ required: true, description: 'The run’s bare or global id.' }),
    taskIds: t.stringList({ description: 'Names of the tasks; all of the run when absent.', validate: taskIds }),
    mapIndexes: t.intList({
      description: 'Only these instances of the mapped tasks named, and of what follows with them; all when absent.',
      validate: mapIndexes,
    }),
    upstream: t.boolean({ defaultValue: false, description: 'And all that they depend on.' }),
    downstream: t.boolean({ defaultValue: false, description: 'And all that depends on them.' }),
    onlyFailed: t.boolean({ defaultValue: false, description: 'Of these only what failed, or whose upstream failed.' }),
    dryRun: t.boolean({ defaultValue: false, description: 'Only say what would be cleared.' }),
  }),
});

export const MarkStateEnum = builder.enumType('MarkState', {
  description: 'A state that a person may set.',
  values: {
    SUCCESS: { value: 'success', description: 'As if it had succeeded.' },
    FAILED: { value: 'failed', description: 'As if it had failed.' },
    SKIPPED: { value: 'skipped', description: 'As if it had been skipped.' },
  } as const,
});

const MarkTasksInput = builder.inputType('MarkTasksInput', {
  description: 'Tasks to be taken as finished.',
  fields: (t) => ({
    runId: t.id({ required: true, description: 'The run’s bare or global id.' }),
    taskIds: t.stringList({ required: true, description: 'Names of the tasks.', validate: taskIds }),
    mapIndexes: t.intList({
      description: 'Only these instances of the mapped tasks named, and of what follows with them; all when absent.',
      validate: mapIndexes,
    }),
    state: t.field({ type: MarkStateEnum, required: true, description: 'What they are taken for.' }),
    upstream: t.boolean({ defaultValue: false, description: 'And all that they depend on.' }),
    downstream: t.boolean({ defaultValue: false, description: 'And all that depends on them.' }),
    dryRun: t.boolean({ defaultValue: false, description: 'Only say what would be marked.' }),
  }),
});

interface Edited {
  runId: number;
  tasks: EditedTask[];
  dryRun: boolean;
}

const EditedTasks = builder.objectRef<Edited>('EditedTasks').implement({
  description: 'The task instances that a person’s hand changed, or would change.',
  authScopes: { read: true },
  fields: (t) => ({
    dagRun: t.field({ type: DagRunNode, description: 'Their run.', resolve: ({ runId }) => String(runId) }),
    taskInstances: t.field({
      type: [TaskInstanceNode],
      complexity: { field: 1, multiplier: 50 },
      description: 'In the order of the spec.',
      resolve: ({ tasks }) => tasks.map(formatTaskKey),
    }),
    dryRun: t.exposeBoolean('dryRun', { description: 'True: nothing was changed.' }),
  }),
});

interface Selection {
  runId: string;
  taskIds?: string[] | null | undefined;
  mapIndexes?: number[] | null | undefined;
  upstream?: boolean | null | undefined;
  downstream?: boolean | null | undefined;
  onlyFailed?: boolean | null | undefined;
  dryRun?: boolean | null | undefined;
}

async function edit(
  ctx: Context,
  action: 'clear' | 'success' | 'failed' | 'skipped',
  input: Selection,
): Promise<Edited> {
  const { id: runId } = await requireDagRun(ctx, input.runId);
  const tasks = await ctx.engine.editTasks({
    runId,
    action,
    taskIds: input.taskIds ?? null,
    mapIndexes: input.mapIndexes ?? null,
    upstream: input.upstream ?? false,
    downstream: input.downstream ?? false,
    onlyFailed: input.onlyFailed ?? false,
    dryRun: input.dryRun ?? false,
    actor: actorOf(ctx),
  });
  if (tasks === 'not_found') throw new NotFoundError(`run "${input.runId}"`);
  if (tasks === 'unknown_task') throw await unknownTasks(ctx, runId, input.taskIds ?? []);
  if (tasks === 'not_started')
    throw new ConflictError('RUN_NOT_STARTED', `Run ${runId} is still queued: nothing to edit yet.`);
  return { runId, tasks, dryRun: input.dryRun ?? false };
}

async function unknownTasks(ctx: Context, runId: number, names: readonly string[]): Promise<ValidationError> {
  const known = ctx.engine.versions.ofRun(runId)?.indexOf;
  const issues = names.flatMap((name, index) =>
    known?.has(name) ? [] : [{ path: ['input', 'taskIds', String(index)], message: `the run has no task "${name}"` }],
  );
  return new ValidationError(issues);
}

const errors = { types: [NotFoundError, ConflictError, ValidationError] };

builder.mutationFields((t) => ({
  clearTasks: t.field({
    type: EditedTasks,
    authScopes: { edit: true },
    errors,
    description: 'Runs tasks again, in the same run with the same code. A finished run goes on.',
    args: { input: t.arg({ type: ClearTasksInput, required: true }) },
    resolve: (_root, { input }, ctx) => edit(ctx, 'clear', input),
  }),
  markTasks: t.field({
    type: EditedTasks,
    authScopes: { edit: true },
    errors,
    description: 'Takes tasks as finished, whatever they do; what runs of them is killed.',
    args: { input: t.arg({ type: MarkTasksInput, required: true }) },
    resolve: (_root, { input }, ctx) => edit(ctx, input.state, input),
  }),
}));
