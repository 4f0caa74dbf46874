import type { XComRow } from '#db/queries/xcoms.ts';
import { builder } from '../builder.ts';
import { formatTaskKey } from '../task-key.ts';

export const XComType = builder.objectRef<XComRow>('XCom').implement({
  description: 'A result of a task that other tasks may read.',
  authScopes: { read: true },
  fields: (t) => ({
    key: t.exposeString('key', { description: '`return_value` is what the task returned.' }),
    value: t.field({
      type: 'JSON',
      nullable: true,
      description: 'The result; null when it is too large to stand here (`isLarge`).',
      resolve: ({ artifact, value }) => (artifact === null ? value : null),
    }),
    isLarge: t.boolean({
      description: 'It lies in the artifact store; `url` gives it.',
      resolve: ({ artifact }) => artifact !== null,
    }),
    bytes: t.float({
      nullable: true,
      description: 'Size of a large result as JSON.',
      resolve: ({ bytes }) => (bytes === null ? null : Number(bytes)),
    }),
    hash: t.exposeString('artifact', { nullable: true, description: 'sha256 of the JSON of a large result.' }),
    preview: t.string({
      nullable: true,
      description: 'The beginning of the JSON of a large result.',
      resolve: ({ artifact, value }) => (artifact === null ? null : String(value)),
    }),
    url: t.string({
      description: 'Where the whole JSON can be downloaded, on this server.',
      resolve: ({ task, key }) => `/xcoms/${formatTaskKey(task)}/${encodeURIComponent(key)}`,
    }),
  }),
});
