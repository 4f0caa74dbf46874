import { createContextCache } from '@pothos/core';
import DataLoader from 'dataloader';
import { findNotes, runNoteKey, setNote, type NoteRow } from '#db/queries/note.ts';
import { findTaskInstances, type TaskKey } from '#db/queries/task-instances.ts';
import { builder } from '../builder.ts';
import { actorOf, type Context } from '../context.ts';
import { NotFoundError, ValidationError } from '../errors.ts';
import { parseTaskInstanceId } from '../global-id.ts';
import { storableText } from '../storable-text.ts';
import { formatTaskKey, parseTaskKey, taskKeyOf } from '../task-key.ts';
import { DagRunNode, requireDagRun } from './dag-run.ts';
import { TaskInstanceNode } from './task-instance.ts';

const NoteType = builder.objectRef<NoteRow>('Note').implement({
  description: 'What a person wrote beside a run or a task instance.',
  authScopes: { read: true },
  fields: (t) => ({
    text: t.exposeString('text', { description: 'Markdown.' }),
    updatedBy: t.exposeString('updated_by', { description: 'Who wrote it last.' }),
    updatedAt: t.expose('updated_at', { type: 'DateTime', description: 'When.' }),
  }),
});

const notes = createContextCache(
  (ctx: Context) =>
    new DataLoader<string, NoteRow | null>((keys) =>
      findNotes(
        ctx.db,
        keys.map((key) => parseTaskKey(key) ?? runNoteKey(Number(key.slice(4)))),
      ),
    ),
);

builder.objectField(DagRunNode, 'note', (t) =>
  t.field({
    type: NoteType,
    nullable: true,
    description: 'What a person wrote beside it.',
    resolve: (run, _args, ctx) => notes(ctx).load(`run ${run.id}`),
  }),
);
builder.objectField(TaskInstanceNode, 'note', (t) =>
  t.field({
    type: NoteType,
    nullable: true,
    description: 'What a person wrote beside it.',
    resolve: (row, _args, ctx) => notes(ctx).load(formatTaskKey(taskKeyOf(row))),
  }),
);

const text = storableText(10_000);

async function requireInstance(ctx: Context, id: string): Promise<TaskKey> {
  const key = parseTaskInstanceId(id);
  const [row] = key ? await findTaskInstances(ctx.db, [key]) : [];
  if (!key || !row) throw new NotFoundError(`task instance "${id}"`);
  return key;
}

builder.mutationFields((t) => ({
  setRunNote: t.field({
    type: DagRunNode,
    authScopes: { edit: true },
    errors: { types: [NotFoundError, ValidationError] },
    description: 'Writes beside a run; an empty text takes the note away.',
    args: {
      runId: t.arg.id({ required: true, description: 'The run’s bare or global id.' }),
      text: t.arg.string({ required: true, description: 'Markdown; at most 10,000 characters.', validate: text }),
    },
    resolve: async (_root, args, ctx) => {
      const run = await requireDagRun(ctx, args.runId);
      await setNote(ctx.db, runNoteKey(run.id), args.text, actorOf(ctx));
      return run;
    },
  }),
  setTaskNote: t.field({
    type: TaskInstanceNode,
    authScopes: { edit: true },
    errors: { types: [NotFoundError, ValidationError] },
    description: 'Writes beside a task instance; an empty text takes the note away.',
    args: {
      taskInstanceId: t.arg.id({ required: true, description: 'Its bare or its global id.' }),
      text: t.arg.string({ required: true, description: 'Markdown; at most 10,000 characters.', validate: text }),
    },
    resolve: async (_root, args, ctx) => {
      const key = await requireInstance(ctx, args.taskInstanceId);
      await setNote(ctx.db, key, args.text, actorOf(ctx));
      return formatTaskKey(key);
    },
  }),
}));
