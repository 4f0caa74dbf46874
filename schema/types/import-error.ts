import { listImportErrors, type ImportErrorRow } from '#db/queries/import-errors.ts';
import { builder } from '../builder.ts';

export const ImportErrorType = builder.objectRef<ImportErrorRow>('ImportError').implement({
  description: 'A DAG file that could not be loaded; its DAGs stay as they were.',
  authScopes: { read: true },
  fields: (t) => ({
    source: t.exposeString('source', { description: 'The folder or repository it belongs to.' }),
    path: t.exposeString('path', { description: 'The file within it.' }),
    message: t.exposeString('message', { description: 'What is wrong, and where.' }),
    at: t.expose('at', { type: 'DateTime', description: 'When it was last tried.' }),
  }),
});

builder.queryField('importErrors', (t) =>
  t.field({
    type: [ImportErrorType],
    authScopes: { read: true },
    description: 'Files that do not load now, newest first; at most 200.',
    resolve: (_root, _args, ctx) => listImportErrors(ctx.db),
  }),
);
