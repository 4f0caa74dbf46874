import { rewrapSecrets, type Rewrapped } from '#db/queries/rewrap-secrets.ts';
import { builder } from '../builder.ts';
import { actorOf } from '../context.ts';

const RewrappedSecrets = builder.objectRef<Rewrapped>('RewrappedSecrets').implement({
  description: 'What came of putting secrets under the current key.',
  authScopes: { administer: true },
  fields: (t) => ({
    rewrapped: t.exposeInt('rewrapped', { description: 'How many were under a former key and are no longer.' }),
    unreadable: t.exposeStringList('unreadable', {
      description:
        'Those under a key that the service does not have, as `variable x` or `connection y`: set them anew.',
    }),
  }),
});

builder.mutationField('rewrapSecrets', (t) =>
  t.field({
    type: RewrappedSecrets,
    authScopes: { administer: true },
    description: 'After a change of MILLRACE_SECRET_KEY: puts all that is stored under the new one. Opens no secret.',
    resolve: (_root, _args, ctx) => rewrapSecrets(ctx.db, ctx.vault, actorOf(ctx)),
  }),
);
