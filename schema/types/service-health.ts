import { type HeldLeases } from '#db/queries/lease-breaker.ts';
import { MOST_COUNTED_LOGS, type LogStoreHealth } from '#db/queries/log-stores.ts';
import { readServiceHealth, type ServiceHealth } from '#db/queries/service-health.ts';
import { builder } from '../builder.ts';

const HeldLeasesType = builder.objectRef<HeldLeases>('HeldLeases').implement({
  description:
    'Too many workers fell silent at once, as when the network fails: the tries they run are kept until their beats return.',
  authScopes: { read: true },
  fields: (t) => ({
    since: t.expose('since', { type: 'DateTime', description: 'When it was first seen.' }),
    until: t.expose('until', { type: 'DateTime', description: 'If the beats stay away, these tries end then.' }),
    silent: t.exposeInt('silent', { description: 'Tries whose worker is silent.' }),
    live: t.exposeInt('live', { description: 'All tries that run.' }),
  }),
});

const LogStoreHealthType = builder.objectRef<LogStoreHealth>('LogStoreHealth').implement({
  description: 'The store that logs of ended tasks go to. While it fails they stay in the database, and can be read.',
  authScopes: { read: true },
  fields: (t) => ({
    name: t.exposeString('name', { description: '`file`, `s3` or `elasticsearch`.' }),
    failingSince: t.expose('failingSince', {
      type: 'DateTime',
      nullable: true,
      description: 'Since when it takes no logs; null: it works.',
    }),
    lastError: t.exposeString('lastError', { nullable: true, description: 'What it said last; null: it works.' }),
    waiting: t.exposeInt('waiting', {
      description: `Logs that are to go there, also those of running tasks; counted up to ${MOST_COUNTED_LOGS}.`,
    }),
  }),
});

const ServiceHealthType = builder.objectRef<ServiceHealth>('ServiceHealth').implement({
  description: 'The service as a whole.',
  authScopes: { read: true },
  fields: (t) => ({
    status: t.string({
      description:
        '`ok`; `leases_held`: see `heldLeases`; `no_workers`: nothing would run; `log_store_failing`: tasks run, see `logStore`.',
      resolve: ({ workersOnline, heldLeases, logStore }) => {
        if (heldLeases) return 'leases_held';
        if (workersOnline === 0) return 'no_workers';
        return logStore?.failingSince ? 'log_store_failing' : 'ok';
      },
    }),
    heldLeases: t.field({
      type: HeldLeasesType,
      nullable: true,
      description: 'Null unless tries are kept although their leases have run out.',
      resolve: ({ heldLeases }) => heldLeases,
    }),
    logStore: t.field({
      type: LogStoreHealthType,
      nullable: true,
      description: 'Null: logs stay in the database.',
      resolve: ({ logStore }) => logStore,
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
    resolve: (_root, _args, ctx) => readServiceHealth(ctx.db),
  }),
);
