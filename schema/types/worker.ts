import { countRunning, findWorkers, listWorkers, type WorkerRow } from '#db/queries/workers.ts';
import { builder } from '../builder.ts';
import { keysetConnection, pageComplexity, parseInteger } from '../connection.ts';
import type { Context } from '../context.ts';
import { loadById } from '../load-by-id.ts';

export const WorkerNode = builder.loadableNode('Worker', {
  description: 'A process that runs tasks. One that comes back after a pause is another worker of the same name.',
  authScopes: { read: true },
  id: { resolve: (worker: WorkerRow) => worker.id },
  load: (ids: string[], ctx: Context) => loadById(ids, (known) => findWorkers(ctx.db, known)),
  fields: (t) => ({
    name: t.exposeString('name', { description: 'As it calls itself.' }),
    state: t.exposeString('state', { description: 'online, draining (takes nothing new) or offline.' }),
    queues: t.exposeStringList('queues', { description: 'The queues it serves.' }),
    slots: t.exposeInt('slots', { description: 'Tasks it runs at once.' }),
    version: t.exposeString('version', { description: 'The Millrace version it runs.' }),
    hostname: t.exposeString('hostname', { nullable: true, description: 'Where it runs.' }),
    pid: t.exposeInt('pid', { nullable: true, description: 'Its process id there.' }),
    startedAt: t.expose('started_at', { type: 'DateTime', description: 'When it registered.' }),
    lastBeatAt: t.expose('last_beat_at', { type: 'DateTime', description: 'When it was last heard of.' }),
    running: t.loadable({
      type: 'Int',
      description: 'How many task instances it runs now.',
      load: async (ids: number[], ctx) => {
        const counts = await countRunning(ctx.db, ids);
        return ids.map((id) => counts.get(id) ?? 0);
      },
      resolve: (worker) => worker.id,
    }),
  }),
});

builder.queryField('workers', (t) =>
  t.connection({
    type: WorkerNode,
    authScopes: { read: true },
    complexity: pageComplexity,
    description: 'Workers, newest first, those that have gone too.',
    resolve: (_root, args, ctx) =>
      keysetConnection(args, {
        toKey: (worker: WorkerRow) => worker.id,
        parseKey: parseInteger,
        load: (page) => listWorkers(ctx.db, page),
      }),
  }),
);
