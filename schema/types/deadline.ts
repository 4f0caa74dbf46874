import { findRunDeadlines, type DeadlineRow } from '#db/queries/deadlines.ts';
import { builder } from '../builder.ts';
import { DagRunNode } from './dag-run.ts';

const DeadlineStateEnum = builder.enumType('DeadlineState', {
  description: 'How a deadline stands.',
  values: {
    PENDING: { value: 'pending', description: 'The time has not come, and the run has not ended.' },
    MET: { value: 'met', description: 'The run ended in time.' },
    MISSED: { value: 'missed', description: 'The time came first. Whoever is to be told has been told.' },
  } as const,
});

const RunDeadline = builder.objectRef<DeadlineRow>('RunDeadline').implement({
  description: 'A time by which a run was to end.',
  authScopes: { read: true },
  fields: (t) => ({
    rule: t.exposeString('rule', {
      description: 'Where it stands in the DAG’s spec: `deadline[0]`, or a rule with `slow`.',
    }),
    dueAt: t.expose('due_at', { type: 'DateTime', description: 'By when.' }),
    state: t.field({
      type: DeadlineStateEnum,
      description: 'How it stands.',
      resolve: (row) => row.state as 'pending' | 'met' | 'missed',
    }),
    settledAt: t.expose('settled_at', { type: 'DateTime', nullable: true, description: 'When it was met or missed.' }),
  }),
});

builder.objectFields(DagRunNode, (t) => ({
  deadlines: t.loadableList({
    type: RunDeadline,
    description: 'Times by which it was to end, first things first.',
    load: async (ids: number[], ctx) => {
      const rows = await findRunDeadlines(ctx.db, ids);
      return ids.map((id) => rows.filter((row) => row.run_id === id));
    },
    resolve: (run) => run.id,
  }),
}));
