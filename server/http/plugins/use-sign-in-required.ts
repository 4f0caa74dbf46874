/** Deny by default: without a credential only these root fields answer, and introspection is not among them. */
import type { Plugin } from 'graphql-yoga';
import { getOperationAST, GraphQLError, Kind, type ExecutionArgs, type SelectionSetNode } from 'graphql';
import type { Context } from '#schema/context.ts';

export const OPEN_FIELDS: ReadonlySet<string> = new Set(['__typename', 'viewer', 'login', 'exchangePodToken']);

function* rootFields({ document }: ExecutionArgs, selections: SelectionSetNode): Generator<string> {
  for (const selection of selections.selections) {
    if (selection.kind === Kind.FIELD) yield selection.name.value;
    else if (selection.kind === Kind.INLINE_FRAGMENT)
      yield* rootFields({ document } as ExecutionArgs, selection.selectionSet);
    else
      for (const definition of document.definitions)
        if (definition.kind === Kind.FRAGMENT_DEFINITION && definition.name.value === selection.name.value)
          yield* rootFields({ document } as ExecutionArgs, definition.selectionSet);
  }
}

function closedField(args: ExecutionArgs): string | undefined {
  const operation = getOperationAST(args.document, args.operationName);
  if (!operation) return undefined;
  return [...rootFields(args, operation.selectionSet)].find((name) => !OPEN_FIELDS.has(name));
}

const refusal = () => ({
  errors: [
    new GraphQLError('Sign in first, or send an API token as "Authorization: Bearer …".', {
      extensions: { code: 'UNAUTHENTICATED' },
    }),
  ],
});

export function useSignInRequired(): Plugin<object, object, Context> {
  const isRefused = (args: ExecutionArgs): boolean =>
    (args.contextValue as Context).viewer === null && closedField(args) !== undefined;
  return {
    onExecute({ args, setResultAndStopExecution }) {
      if (isRefused(args)) setResultAndStopExecution(refusal());
    },
    onSubscribe({ args, setResultAndStopExecution }) {
      if (isRefused(args)) setResultAndStopExecution(refusal());
    },
  };
}
