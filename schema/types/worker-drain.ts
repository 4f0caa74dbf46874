/** How people take a worker out of service, and back into it. */
import { drainWorker, type DrainMode } from '#db/queries/worker.ts';
import { findWorkers, type WorkerRow } from '#db/queries/workers.ts';
import { builder } from '../builder.ts';
import { actorOf, type Context } from '../context.ts';
import { NotFoundError } from '../errors.ts';
import { DrainModeEnum, WorkerNode } from './worker.ts';

const DrainWorkerInput = builder.inputType('DrainWorkerInput', {
  description: 'Which worker is to come to its end.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'As it calls itself.' }),
    mode: t.field({ type: DrainModeEnum, defaultValue: 'finish', required: true, description: 'How.' }),
  }),
});
const ResumeWorkerInput = builder.inputType('ResumeWorkerInput', {
  description: 'Which worker takes tasks again.',
  fields: (t) => ({ name: t.string({ required: true, description: 'As it calls itself.' }) }),
});

async function change(ctx: Context, name: string, mode: DrainMode | null): Promise<WorkerRow> {
  const changed = await drainWorker(ctx.db, name, mode, { actor: actorOf(ctx) });
  const [worker] = changed ? await findWorkers(ctx.db, [changed.id]) : [];
  if (worker) return worker;
  throw new NotFoundError(`worker "${name}" that has not gone`);
}

builder.mutationFields((t) => ({
  drainWorker: t.field({
    type: WorkerNode,
    authScopes: { administer: true },
    errors: { types: [NotFoundError] },
    description:
      'Has a worker take nothing new and leave when it is free: its process ends with exit code 0. It hears of it at once, at the latest with its next beat. May be said again with another mode.',
    args: { input: t.arg({ type: DrainWorkerInput, required: true }) },
    resolve: (_root, { input }, ctx) => change(ctx, input.name, input.mode),
  }),
  resumeWorker: t.field({
    type: WorkerNode,
    authScopes: { administer: true },
    errors: { types: [NotFoundError] },
    description: 'Has a worker that drains take tasks again. One that hands back what it runs does not come back.',
    args: { input: t.arg({ type: ResumeWorkerInput, required: true }) },
    resolve: (_root, { input }, ctx) => change(ctx, input.name, null),
  }),
}));
