import { z } from 'zod';
import { builder } from '../builder.ts';
import { ConflictError, ValidationError } from '../errors.ts';
import { ViewerType } from './viewer.ts';

const LoginInput = builder.inputType('LoginInput', {
  description: 'A user’s name and password.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'The user’s name.', validate: z.string().min(1).max(200) }),
    password: t.string({ required: true, description: 'The password.', validate: z.string().min(1).max(1_000) }),
  }),
});

builder.mutationFields((t) => ({
  login: t.field({
    type: ViewerType,
    errors: { types: [ConflictError, ValidationError] },
    description: 'Signs a browser in: sets the session cookie. Over HTTP only.',
    args: { input: t.arg({ type: LoginInput, required: true }) },
    resolve: async (_root, { input }, ctx) => {
      const viewer = await ctx.access.login(input.name, input.password);
      if (viewer === 'throttled')
        throw new ConflictError('TOO_MANY_ATTEMPTS', 'Too many attempts. Try again in a few minutes.');
      if (!viewer) throw new ConflictError('WRONG_CREDENTIALS', 'Name or password is wrong.');
      return viewer;
    },
  }),
  logout: t.boolean({
    authScopes: { read: true },
    description: 'Ends the browser’s session, its open connections too.',
    resolve: async (_root, _args, ctx) => {
      await ctx.access.logout();
      return true;
    },
  }),
}));
