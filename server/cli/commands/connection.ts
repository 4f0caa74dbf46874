import { Option, type Command } from 'commander';
import { CONNECTION_KINDS } from '#sdk/connections.ts';
import type { Json } from '#sdk/protocol.ts';
import type { ApiClient } from '../api-client.ts';
import { CommandError } from '../command-error.ts';
import { withClient, withConnection, type ConnectionOptions } from '../connect.ts';
import { withExamples } from '../examples.ts';
import { jsonValue } from '../json-option.ts';
import { FAILURE, mutate, orFail, type Outcome } from '../outcome.ts';
import { printJson, printNote, printTable } from '../output.ts';
import { listAll } from '../pages.ts';
import { connectionEntry, readObject, readStdin, type ConnectionEntry } from '../values-file.ts';
import { wholeNumber } from './runs.ts';

const CREATE = /* GraphQL */ `
  mutation CreateConnection($input: CreateConnectionInput!) {
    createConnection(input: $input) {
      ...Failure
      ... on MutationCreateConnectionSuccess {
        data {
          connectionId
          kind
        }
      }
    }
  }
  ${FAILURE}
`;

const UPDATE = /* GraphQL */ `
  mutation UpdateConnection($input: UpdateConnectionInput!) {
    updateConnection(input: $input) {
      ...Failure
      ... on MutationUpdateConnectionSuccess {
        data {
          connectionId
          kind
        }
      }
    }
  }
  ${FAILURE}
`;

const DELETE = /* GraphQL */ `
  mutation DeleteConnection($input: DeleteConnectionInput!) {
    deleteConnection(input: $input) {
      ...Failure
      ... on MutationDeleteConnectionSuccess {
        data {
          deletedConnectionId
        }
      }
    }
  }
  ${FAILURE}
`;

const LIST = /* GraphQL */ `
  query Connections($after: String) {
    connections(first: 200, after: $after) {
      edges {
        node {
          connectionId
          kind
          host
          port
          schema
          login
          hasPassword
          extra
          secretExtraKeys
          description
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`;

interface Stored {
  connectionId: string;
  kind: string;
  host: string | null;
  port: number | null;
  schema: string | null;
  login: string | null;
  hasPassword: boolean;
}
interface AddOptions extends ConnectionOptions {
  kind?: string;
  host?: string;
  port?: number;
  schema?: string;
  login?: string;
  passwordStdin?: boolean;
  extra?: Json;
  description?: string;
  replace?: boolean;
}

export function addConnectionCommand(program: Command): void {
  const connection = program.command('connection').description('what tasks need to reach databases and services');
  withExamples(
    withConnection(
      connection
        .command('add')
        .description('make a connection, of a URI or of options')
        .argument('<id>', 'the name that tasks use')
        .argument('[uri]', 'kind://login:password@host:port/schema?setting=value; - reads it from standard input')
        .addOption(new Option('--kind <kind>', 'what it leads to').choices(CONNECTION_KINDS))
        .option('--host <host>', 'name, address or URL')
        .option('--port <n>', 'when not the usual one', wholeNumber)
        .option('--schema <name>', 'database or path')
        .option('--login <name>', 'user')
        .option('--password-stdin', 'read the password from standard input')
        .option('--extra <json>', 'further settings; what looks like a secret is stored as one', jsonValue)
        .option('--description <text>', 'what it is for')
        .option('--replace', 'also when there is one of this name'),
    ),
    'millrace connection add mart postgres://reader@mart.example/sales --password-stdin < password.txt',
  ).action((id: string, uri: string | undefined, options: AddOptions) =>
    withClient(options, (client) => add(client, id, uri, options)),
  );
  withExamples(
    withConnection(connection.command('list').description('list them, without their secrets')),
    'millrace connection list',
  ).action((options: ConnectionOptions) => withClient(options, (client) => list(client, options)));
  withExamples(
    withConnection(connection.command('delete').description('delete one').argument('<id>', 'its name')),
    'millrace connection delete mart',
  ).action((id: string, options: ConnectionOptions) => withClient(options, (client) => remove(client, id)));
  withExamples(
    withConnection(
      connection
        .command('import')
        .description('make or replace all connections of a file')
        .argument('<file>', 'JSON or YAML: names with URIs or with fields; - is standard input'),
    ),
    'millrace connection import connections.yaml',
  ).action((file: string, options: ConnectionOptions) => withClient(options, (client) => importAll(client, file)));
}

async function add(client: ApiClient, id: string, uri: string | undefined, options: AddOptions): Promise<void> {
  const stdin = uri === '-' || options.passwordStdin ? await readStdin() : '';
  const written = uri === '-' ? stdin : uri;
  const { kind, host, port, schema, login, extra, description } = options;
  if (written === undefined && kind === undefined)
    throw new CommandError('Give a URI, or --kind and what belongs to it.');
  const base = written === undefined ? {} : connectionEntry(id, written);
  const settings = extra === undefined ? {} : connectionEntry(id, { kind: 'generic', extra });
  const said = {
    kind,
    host,
    port,
    schema,
    login,
    description,
    password: uri !== '-' && options.passwordStdin ? stdin : undefined,
  };
  const given = Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined));
  const entry = {
    ...settings,
    ...base,
    ...(extra !== undefined && pickSettings(settings)),
    ...given,
  } as ConnectionEntry;
  const made = await store(client, { ...entry, connectionId: id }, options.replace ?? false);
  if (options.json) return printJson(made);
  printNote(`${id} is stored.`);
}

const pickSettings = ({ extra, secretExtra }: { [field: string]: Json }) => ({ extra, secretExtra });

async function store(client: ApiClient, input: ConnectionEntry, replace: boolean): Promise<Stored> {
  const { createConnection } = await client.request<{ createConnection: Outcome<Stored> }>(CREATE, { input });
  if (createConnection.__typename !== 'ConflictError' || !replace) return orFail(createConnection, input.connectionId);
  const empty = { description: null, host: null, port: null, schema: null, login: null, password: null };
  const whole = { ...empty, extra: {}, secretExtra: {}, ...input };
  return mutate<Stored>(client, UPDATE, { input: whole }, input.connectionId);
}

async function list(client: ApiClient, { json }: ConnectionOptions): Promise<void> {
  const found = await listAll<Stored>(client, LIST);
  if (json) return printJson(found);
  const rows = found.map(({ connectionId, kind, host, port, schema, login, hasPassword }) => ({
    connection: connectionId,
    kind,
    host,
    port,
    schema,
    login,
    password: hasPassword ? '***' : '',
  }));
  printTable(rows, 'No connections yet: "millrace connection add <id> <uri>" makes one.');
}

async function remove(client: ApiClient, connectionId: string): Promise<void> {
  const input = { connectionId };
  await mutate<object>(client, DELETE, { input });
  printNote(`${connectionId} is deleted.`);
}

async function importAll(client: ApiClient, file: string): Promise<void> {
  const entries = Object.entries(await readObject(file)).map(([id, written]) => connectionEntry(id, written));
  for (const entry of entries) await store(client, entry, true);
  printNote(`${entries.length} connections are stored.`);
}
