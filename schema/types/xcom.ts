import type { XComRow } from '#db/queries/xcoms.ts';
import { builder } from '../builder.ts';

export const XComType = builder.objectRef<XComRow>('XCom').implement({
  description: 'A result of a task that other tasks may read.',
  authScopes: { read: true },
  fields: (t) => ({
    key: t.exposeString('key', { description: '`return_value` is what the task returned.' }),
    value: t.field({ type: 'JSON', nullable: true, description: 'The result.', resolve: (xcom) => xcom.value }),
  }),
});
