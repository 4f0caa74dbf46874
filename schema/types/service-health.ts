import { readServiceFacts, type ServiceFacts } from '#db/queries/service-health.ts';
import { builder } from '../builder.ts';

const ServiceHealthType = builder.objectRef<ServiceFacts>('ServiceHealth').implement({
  description: 'The service as a whole.',
  authScopes: { read: true },
  fields: (t) => ({
    status: t.string({
      description: '`ok`, or `no_workers`: nothing would run.',
      resolve: ({ workersOnline }) => (workersOnline > 0 ? 'ok' : 'no_workers'),
    }),
    version: t.string({ description: 'Of the server that answers.', resolve: (_facts, _args, ctx) => ctx.version }),
    schemaVersion: t.exposeString('schemaVersion', { description: 'The last migration applied.' }),
    database: t.exposeString('database', { description: 'Version of PostgreSQL.' }),
    workersOnline: t.exposeInt('workersOnline', { description: 'Workers that take tasks.' }),
    schedulerBeatAt: t.expose('schedulerBeatAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When a scheduler was last heard of; null: none has been.',
    }),
    now: t.expose('now', { type: 'DateTime', description: 'The database’s clock, by which everything is decided.' }),
  }),
});

builder.queryField('serviceHealth', (t) =>
  t.field({
    type: ServiceHealthType,
    authScopes: { read: true },
    description: 'How the service is.',
    resolve: (_root, _args, ctx) => readServiceFacts(ctx.db),
  }),
);
