/** How the Pod of a task comes to what it is to run. */
import { GraphQLError } from 'graphql';
import type { Dispatch } from '#sdk/protocol.ts';
import { parseDispatchId } from '#db/engine/dispatch-id.ts';
import { findResultWish } from '#db/queries/pod-launches.ts';
import { builder } from '../builder.ts';
import type { PodTokenResult } from '../context.ts';
import { badInput } from '../errors.ts';
import { checkDispatches } from '../runner-input.ts';
import { withToken } from '../runner-tokens.ts';

const ExchangePodTokenInput = builder.inputType('ExchangePodTokenInput', {
  description: 'What a Pod knows of itself.',
  fields: (t) => ({
    dispatchId: t.id({ required: true, description: 'The dispatch that it was made for.' }),
    cluster: t.string({ required: true, description: 'What this service calls the cluster that it runs on.' }),
    token: t.string({
      required: true,
      description: 'Of its service account, made out for `millrace` and bound to the Pod: a projected volume.',
    }),
  }),
});

const ExchangedPodToken = builder.objectRef<Dispatch>('ExchangedPodToken').implement({
  description: 'What the Pod is to run.',
  fields: (t) => ({
    dispatch: t.field({
      type: 'JSON',
      description: 'A Dispatch of the runner protocol, with a token for it alone.',
      resolve: (dispatch) => dispatch,
    }),
  }),
});

const REFUSALS = {
  refused: ['UNAUTHENTICATED', 'This token is not that of the Pod that runs this dispatch.'],
  throttled: ['TOO_MANY_ATTEMPTS', 'Too many tokens were refused. Try again in a few minutes.'],
  unavailable: ['UNAVAILABLE', 'The token cannot be checked just now. Try again.'],
} as const;

function dispatchOf(result: PodTokenResult): Dispatch {
  if (typeof result !== 'string') return result;
  const [code, message] = REFUSALS[result];
  throw new GraphQLError(message, { extensions: { code } });
}

builder.mutationFields((t) => ({
  exchangePodToken: t.field({
    type: ExchangedPodToken,
    description: 'For Pods of tasks, which hold no other credential: what to run, and a token to speak for it.',
    args: { input: t.arg({ type: ExchangePodTokenInput, required: true }) },
    resolve: async (_root, { input }, ctx) => withToken(ctx, dispatchOf(await ctx.access.exchangePodToken(input))),
  }),
}));

const ResultWishEnum = builder.enumType('ResultWish', {
  description: 'What is to become of the file with the result of a Pod.',
  values: {
    NOT_YET: { value: 'not_yet', description: 'The task’s container runs. Ask again.' },
    NOW: { value: 'now', description: 'It has ended well: bring the file.' },
    NEVER: { value: 'never', description: 'Nobody waits for it any more.' },
  } as const,
});

builder.queryFields((t) => ({
  resultWish: t.field({
    type: ResultWishEnum,
    authScopes: { run: true },
    description: 'For the collector in the Pod of a task, which brings its result.',
    args: { dispatchId: t.arg.id({ required: true, description: 'The dispatch that the Pod is for.' }) },
    resolve: (_root, { dispatchId }, ctx) => {
      checkDispatches(ctx.viewer, [dispatchId]);
      const key = parseDispatchId(dispatchId);
      if (!key) throw badInput('dispatchId: this is no dispatch.');
      return findResultWish(ctx.db, key);
    },
  }),
}));
