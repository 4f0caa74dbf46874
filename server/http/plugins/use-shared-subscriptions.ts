/**
 * Runs a subscription once per event for all who ask the same: same document, variables (but for the cursor) and role. Each event is
 * an object that the subscribers of a group share, so its results are remembered by that object. Every run has a fresh context:
 * loaders and scope results live as long as theirs, and a socket's would show yesterday's rows.
 */
import { complexityFromQuery } from '@pothos/plugin-complexity';
import type { Plugin } from 'graphql-yoga';
import {
  createSourceEventStream,
  execute,
  getOperationAST,
  GraphQLError,
  Kind,
  visit,
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
} from 'graphql';
import { COMPLEXITY_LIMIT } from '#schema/builder.ts';
import type { Context } from '#schema/context.ts';

type Results = Map<string, Promise<ExecutionResult>>;

export function useSharedSubscriptions(): Plugin<object, object, Context> {
  const subscribe = createSharedSubscribe();
  return {
    onSubscribe({ setSubscribeFn }) {
      setSubscribeFn(subscribe as never);
    },
  };
}

export function createSharedSubscribe() {
  const results = new WeakMap<object, Results>();
  const keyOf = createGroupKeys();

  function executeOnce(args: ExecutionArgs, key: string, payload: unknown): Promise<ExecutionResult> {
    const run = async () =>
      execute({ ...args, rootValue: payload, contextValue: { ...(args.contextValue as Context) } });
    if (payload === null || typeof payload !== 'object') return run();
    const known: Results = results.get(payload) ?? new Map();
    results.set(payload, known);
    const result = known.get(key) ?? run();
    known.set(key, result);
    return result;
  }

  return async (args: ExecutionArgs): Promise<AsyncIterableIterator<ExecutionResult> | ExecutionResult> => {
    const tooLarge = sizeError(args);
    if (tooLarge) return { errors: [tooLarge] };
    const source = await createSourceEventStream(args);
    if (!(Symbol.asyncIterator in source)) return source;
    const events = source[Symbol.asyncIterator]();
    const key = keyOf(args);
    const stream: AsyncIterableIterator<ExecutionResult> = {
      async next() {
        const event = await events.next();
        return event.done
          ? { done: true, value: undefined }
          : { done: false, value: await executeOnce(args, key, event.value) };
      },
      async return() {
        await events.return?.();
        return { done: true, value: undefined };
      },
      async throw(error) {
        await events.return?.();
        throw error;
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
    return stream;
  };
}

/** The builder's own check runs when an event is resolved: too late to refuse the subscription. */
function sizeError({
  document,
  schema,
  operationName,
  variableValues,
  contextValue,
}: ExecutionArgs): GraphQLError | null {
  const operation = getOperationAST(document, operationName);
  if (!operation) return null;
  const fragments = document.definitions.filter((definition) => definition.kind === Kind.FRAGMENT_DEFINITION);
  const size = complexityFromQuery(
    { kind: Kind.DOCUMENT, definitions: [operation, ...fragments] },
    { schema, ctx: contextValue as object, variables: variableValues ?? {} },
  );
  for (const kind of ['depth', 'breadth', 'complexity'] as const)
    if (size[kind] > COMPLEXITY_LIMIT[kind])
      return new GraphQLError(
        `The subscription is too large: its ${kind} is ${size[kind]}, at most ${COMPLEXITY_LIMIT[kind]} is allowed.`,
        { extensions: { code: 'QUERY_TOO_LARGE' } },
      );
  return null;
}

/** Documents are cached by their text, so the same text is the same object. */
function createGroupKeys() {
  const documents = new WeakMap<DocumentNode, { id: number; cursor: string | null }>();
  let count = 0;
  return ({ document, operationName, variableValues, contextValue }: ExecutionArgs): string => {
    const known = documents.get(document) ?? { id: ++count, cursor: cursorVariable(document) };
    documents.set(document, known);
    const { [known.cursor ?? '']: _cursor, ...variables } = (variableValues ?? {}) as { [name: string]: unknown };
    return JSON.stringify([known.id, operationName ?? null, (contextValue as Context).viewer?.role ?? null, variables]);
  };
}

/** The variable that is only the cursor: it says where a stream begins, not what its messages hold. */
function cursorVariable(document: DocumentNode): string | null {
  const uses = new Map<string, number>();
  let cursor: string | null = null;
  visit(document, {
    VariableDefinition: () => false,
    Variable: (node) => void uses.set(node.name.value, (uses.get(node.name.value) ?? 0) + 1),
    Argument: (node) => {
      if (node.name.value === 'after' && node.value.kind === Kind.VARIABLE) cursor = node.value.name.value;
    },
  });
  return cursor !== null && uses.get(cursor) === 1 ? cursor : null;
}
