import { Option, type Command } from 'commander';
import type { ApiClient } from '../api-client.ts';
import { withClient, withConnection, type ConnectionOptions } from '../connect.ts';
import { withExamples } from '../examples.ts';
import { FAILURE, mutate } from '../outcome.ts';
import { printJson, printLine, printTable } from '../output.ts';
import { wholeNumber } from './runs.ts';

const POOLS = /* GraphQL */ `
  query Pools {
    pools {
      name
      slots
      includeDeferred
      description
      queued
      running
      deferred
      open
      waiting
    }
  }
`;
const POOL = /* GraphQL */ `
  query Pool($name: String!) {
    pool(name: $name) {
      name
    }
  }
`;
const CREATE = /* GraphQL */ `
  mutation CreatePool($input: CreatePoolInput!) {
    createPool(input: $input) {
      ...Failure
      ... on MutationCreatePoolSuccess {
        data {
          name
          slots
          includeDeferred
          description
          queued
          running
          deferred
          open
          waiting
        }
      }
    }
  }
  ${FAILURE}
`;
const UPDATE = /* GraphQL */ `
  mutation UpdatePool($input: UpdatePoolInput!) {
    updatePool(input: $input) {
      ...Failure
      ... on MutationUpdatePoolSuccess {
        data {
          name
          slots
          includeDeferred
          description
          queued
          running
          deferred
          open
          waiting
        }
      }
    }
  }
  ${FAILURE}
`;
const DELETE = /* GraphQL */ `
  mutation DeletePool($input: DeletePoolInput!) {
    deletePool(input: $input) {
      ...Failure
      ... on MutationDeletePoolSuccess {
        data {
          deletedName
        }
      }
    }
  }
  ${FAILURE}
`;

interface Pool {
  name: string;
  slots: number;
  includeDeferred: boolean;
  description: string | null;
  queued: number;
  running: number;
  deferred: number;
  open: number;
  waiting: number;
}
interface PoolOptions extends ConnectionOptions {
  includeDeferred?: boolean;
  description?: string;
}

export function addPoolCommand(program: Command): void {
  const pool = program.command('pool').description('pools: limits on tasks that DAGs share');
  withConnection(pool.command('list').description('list the pools and what goes on in them')).action(
    (options: ConnectionOptions) => withClient(options, (client) => list(client, options)),
  );
  const set = withConnection(
    pool
      .command('set')
      .alias('create')
      .description('make a pool, or change one')
      .argument('<name>', 'its name')
      .argument('<slots>', 'how many tasks of one slot may run at once', wholeNumber)
      .addOption(new Option('--include-deferred', 'tasks that wait without a worker keep their slots'))
      .addOption(new Option('--no-include-deferred', 'they give them back'))
      .option('--description <text>', 'what it is for'),
  );
  withExamples(set, 'millrace pool set warehouse 4', 'millrace pool list').action(
    (name: string, slots: number, options: PoolOptions) =>
      withClient(options, (client) => save(client, name, slots, options)),
  );
  withConnection(
    pool
      .command('delete')
      .description('delete a pool; tasks that name it wait until there is one again')
      .argument('<name>', 'its name'),
  ).action((name: string, options: ConnectionOptions) =>
    withClient(options, (client) => remove(client, name, options)),
  );
}

async function list(client: ApiClient, { json }: ConnectionOptions): Promise<void> {
  const { pools } = await client.request<{ pools: Pool[] }>(POOLS);
  if (json) return printJson(pools);
  const rows = pools.map(({ includeDeferred, description, ...pool }) => ({
    ...pool,
    deferred: includeDeferred ? pool.deferred : '-',
    description,
  }));
  printTable(rows, 'No pools yet: "millrace pool set <name> <slots>" makes one.');
}

async function save(client: ApiClient, name: string, slots: number, options: PoolOptions): Promise<void> {
  const { includeDeferred, description } = options;
  const input = { name, slots, includeDeferred, description };
  const known = await client.request<{ pool: { name: string } | null }>(POOL, { name });
  const saved = await mutate<Pool>(client, known.pool ? UPDATE : CREATE, { input });
  if (options.json) return printJson(saved);
  printLine(`${saved.name}: ${saved.slots} slots, ${saved.open} open, ${saved.waiting} tasks wait`);
}

async function remove(client: ApiClient, name: string, { json }: ConnectionOptions): Promise<void> {
  const deleted = await mutate<{ deletedName: string }>(client, DELETE, {
    input: { name },
  });
  if (json) return printJson(deleted);
  printLine(`${deleted.deletedName} is gone`);
}
