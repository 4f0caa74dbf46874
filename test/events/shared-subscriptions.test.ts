import { GraphQLObjectType, GraphQLSchema, GraphQLString, parse, type ExecutionResult } from 'graphql';
import { describe, expect, it } from 'vitest';
import { createSharedSubscribe } from '#server/http/plugins/use-shared-subscriptions.ts';

interface Event {
  name: string;
}

/** A schema that counts how often it is run, and in which contexts. */
function setUp() {
  const runs: object[] = [];
  const events: Event[] = [{ name: 'one' }, { name: 'two' }];
  const schema = new GraphQLSchema({
    query: new GraphQLObjectType({ name: 'Query', fields: { x: { type: GraphQLString } } }),
    subscription: new GraphQLObjectType({
      name: 'Subscription',
      fields: {
        ticks: {
          type: GraphQLString,
          args: { after: { type: GraphQLString }, only: { type: GraphQLString } },
          subscribe: async function* () {
            yield* events;
          },
          resolve: (event: Event, _args, ctx: object) => {
            runs.push(ctx);
            return event.name;
          },
        },
      },
    }),
  });
  const subscribe = createSharedSubscribe();
  const document = parse('subscription($after: String, $only: String) { ticks(after: $after, only: $only) }');
  return {
    runs,
    async read(role: string, variables: object): Promise<ExecutionResult[]> {
      const contextValue = { viewer: { role } };
      const stream = await subscribe({ schema, document, contextValue, variableValues: { ...variables } });
      if (!(Symbol.asyncIterator in stream)) throw new Error(JSON.stringify(stream));
      const results: ExecutionResult[] = [];
      for await (const result of stream) results.push(result);
      return results;
    },
  };
}

describe('subscribers who ask the same', () => {
  it('share one run and one result per event, whatever their cursors', async () => {
    const { runs, read } = setUp();
    const [one, other] = await Promise.all([read('viewer', { after: '1' }), read('viewer', { after: '2' })]);
    expect(one.map((result) => result.data)).toEqual([{ ticks: 'one' }, { ticks: 'two' }]);
    expect(runs).toHaveLength(2);
    expect(one[0]).toBe(other[0]);
  });

  it('do not share with another role or other variables', async () => {
    const { runs, read } = setUp();
    await Promise.all([read('viewer', {}), read('admin', {}), read('viewer', { only: 'x' })]);
    expect(runs).toHaveLength(6);
  });

  it('get a fresh context for every event, so that no loader shows yesterday’s rows', async () => {
    const { runs, read } = setUp();
    await read('viewer', {});
    expect(new Set(runs).size).toBe(2);
  });
});
