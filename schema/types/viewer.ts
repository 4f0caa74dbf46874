import { builder } from '../builder.ts';
import type { Viewer } from '../context.ts';
import { RoleEnum } from '../enums.ts';

export const ViewerType = builder.objectRef<Viewer>('Viewer').implement({
  description: 'Who asks.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'The user’s or token’s name.' }),
    role: t.expose('role', { type: RoleEnum, description: 'What the caller may do.' }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', description: 'When the session or token ends unless used.' }),
  }),
});

builder.queryField('viewer', (t) =>
  t.field({
    type: ViewerType,
    nullable: true,
    description: 'Who asks; null when not signed in.',
    resolve: (_root, _args, ctx) => ctx.viewer,
  }),
);
