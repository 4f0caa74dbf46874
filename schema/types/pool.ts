import { builder } from '../builder.ts';

interface PoolRow {
  name: string;
  slots: number;
}

const PoolType = builder.objectRef<PoolRow>('Pool').implement({
  description: 'A limit on how many tasks run at once, shared by DAGs.',
  authScopes: { read: true },
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Unique in the service.' }),
    slots: t.exposeInt('slots', { description: 'Most tasks at once.' }),
  }),
});

builder.queryField('pools', (t) =>
  t.field({
    type: [PoolType],
    authScopes: { read: true },
    description: 'All pools.',
    // No DAG can name a pool yet
    resolve: () => [],
  }),
);
