import type { Command } from 'commander';
import type { ApiClient } from '../api-client.ts';
import { CommandError } from '../command-error.ts';
import { withClient, withConnection, type ConnectionOptions } from '../connect.ts';
import { withExamples } from '../examples.ts';
import { FAILURE, mutate } from '../outcome.ts';
import { printJson, printLine, printNote, printTable } from '../output.ts';
import { listAll } from '../pages.ts';
import { readObject, readStdin, variableEntries, type VariableEntry } from '../values-file.ts';

const SET = /* GraphQL */ `
  mutation SetVariable($input: SetVariableInput!) {
    setVariable(input: $input) {
      ...Failure
      ... on MutationSetVariableSuccess {
        data {
          key
          secret
        }
      }
    }
  }
  ${FAILURE}
`;

const DELETE = /* GraphQL */ `
  mutation DeleteVariable($input: DeleteVariableInput!) {
    deleteVariable(input: $input) {
      ...Failure
      ... on MutationDeleteVariableSuccess {
        data {
          deletedKey
        }
      }
    }
  }
  ${FAILURE}
`;

const GET = /* GraphQL */ `
  query Variable($key: String!) {
    variable(key: $key) {
      key
      value
      secret
      description
    }
  }
`;

const LIST = /* GraphQL */ `
  query Variables($after: String, $search: String) {
    variables(first: 200, after: $after, search: $search) {
      edges {
        node {
          key
          value
          secret
          description
          updatedAt
          updatedBy
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`;

interface Variable {
  key: string;
  value: string | null;
  secret: boolean;
  description: string | null;
}
type SetOptions = ConnectionOptions & { secret?: boolean; open?: boolean; description?: string };
type KeyedCommand = (key: string, options: ConnectionOptions) => Promise<void>;

export function addVariableCommand(program: Command): void {
  const variable = program.command('variable').description('values that tasks read by their key');
  withExamples(
    withConnection(
      variable
        .command('set')
        .description('make a variable or give it another value')
        .argument('<key>', 'name of the variable')
        .argument(
          '[value]',
          'its value; read from standard input when it is - or missing, so that nobody sees a secret',
        )
        .option('--secret', 'never show the value again (the default where the key looks like it)')
        .option('--open', 'show the value, whatever the key looks like')
        .option('--description <text>', 'what it is for'),
    ),
    'millrace variable set region north',
    'millrace variable set api_token --secret < token.txt',
  ).action((key: string, value: string | undefined, options: SetOptions) =>
    withClient(options, (client) => setOne(client, key, value, options)),
  );
  const get: KeyedCommand = (key, options) => withClient(options, (client) => getOne(client, key, options));
  withExamples(
    withConnection(variable.command('get').description('print the value').argument('<key>', 'its name')),
    'millrace variable get region',
  ).action(get);
  const remove: KeyedCommand = (key, options) =>
    withClient(options, async (client) => {
      await mutate<object>(client, DELETE, { input: { key } });
      printNote(`${key} is deleted.`);
    });
  withExamples(
    withConnection(variable.command('delete').description('delete it').argument('<key>', 'its name')),
    'millrace variable delete region',
  ).action(remove);
  withExamples(
    withConnection(
      variable.command('list').description('list them').option('--search <text>', 'only those whose key holds it'),
    ),
    'millrace variable list --search api',
  ).action((options: ConnectionOptions & { search?: string }) =>
    withClient(options, (client) => list(client, options)),
  );
  withExamples(
    withConnection(
      variable
        .command('import')
        .description('set all variables of a file')
        .argument(
          '<file>',
          'JSON or YAML: keys with values, or with { value, description, secret }; - is standard input',
        ),
    ),
    'millrace variable import variables.json',
  ).action((file: string, options: ConnectionOptions) => withClient(options, (client) => importAll(client, file)));
  withExamples(
    withConnection(variable.command('export').description('print them as JSON, without the secret ones')),
    'millrace variable export > variables.json',
  ).action((options: ConnectionOptions) => withClient(options, exportAll));
}

async function send(client: ApiClient, input: VariableEntry): Promise<Variable> {
  return mutate<Variable>(client, SET, { input }, input.key);
}

async function setOne(client: ApiClient, key: string, given: string | undefined, options: SetOptions): Promise<void> {
  if (options.secret && options.open) throw new CommandError('Give --secret or --open, not both.');
  const value = given === undefined || given === '-' ? await readStdin() : given;
  const secret = options.secret ? true : options.open ? false : undefined;
  const { description } = options;
  const input = {
    key,
    value,
    ...(secret !== undefined && { secret }),
    ...(description !== undefined && { description }),
  };
  const set = await send(client, input);
  if (options.json) return printJson(set);
  printNote(`${key} is set${set.secret ? ', as a secret: its value is not shown again' : ''}.`);
}

async function getOne(client: ApiClient, key: string, { json }: ConnectionOptions): Promise<void> {
  const { variable } = await client.request<{ variable: Variable | null }>(GET, { key });
  if (!variable) throw new CommandError(`There is no variable "${key}".`);
  if (json) return printJson(variable);
  if (variable.value === null) throw new CommandError(`"${key}" is secret: only tasks get its value.`);
  printLine(variable.value);
}

const MOST_SHOWN = 60;
const shorten = (text: string) => (text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text);

async function list(client: ApiClient, { search, json }: { search?: string; json?: boolean }): Promise<void> {
  const found = await listAll<Variable>(client, LIST, { search });
  if (json) return printJson(found);
  const rows = found.map(({ key, value, description }) => ({
    key,
    value: value === null ? '***' : shorten(value.replaceAll(/\s+/g, ' ')),
    description: shorten(description ?? ''),
  }));
  printTable(rows, 'No variables yet: "millrace variable set <key> <value>" makes one.');
}

async function importAll(client: ApiClient, file: string): Promise<void> {
  const entries = variableEntries(await readObject(file));
  for (const entry of entries) await send(client, entry);
  printNote(`${entries.length} variables are set.`);
}

async function exportAll(client: ApiClient): Promise<void> {
  const found = await listAll<Variable>(client, LIST);
  const open = found.filter(({ secret }) => !secret);
  const entries = open.map(({ key, value, description }) => [
    key,
    description === null ? value : { value, description },
  ]);
  printJson(Object.fromEntries(entries));
  const hidden = found.length - open.length;
  if (hidden > 0) printNote(`${hidden} secret ones are left out: nobody can read them back.`);
}
