import { InvalidArgumentError, Option, type Command } from 'commander';
import type { ApiTokenRole } from '#db/queries/api-tokens.ts';
import type { ApiClient } from '../api-client.ts';
import { withClient, withConnection, type ConnectionOptions } from '../connect.ts';
import { withExamples } from '../examples.ts';
import { FAILURE, mutate } from '../outcome.ts';
import { printJson, printLine, printNote } from '../output.ts';
import { wholeNumber } from './runs.ts';

const CREATE = /* GraphQL */ `
  mutation CreateApiToken($input: CreateApiTokenInput!) {
    createApiToken(input: $input) {
      ...Failure
      ... on MutationCreateApiTokenSuccess {
        data {
          token
          name
          role
          expiresAt
        }
      }
    }
  }
  ${FAILURE}
`;

interface Token {
  token: string;
  name: string;
  role: string;
  expiresAt: string;
}
interface TokenOptions extends ConnectionOptions {
  name: string;
  role: ApiTokenRole;
  expiresInDays: number;
  database?: boolean;
}

export function addTokenCommand(program: Command): void {
  const token = program.command('token').description('API tokens');
  const command = withConnection(
    token
      .command('create')
      .description('make an API token and print it: the only time it is shown')
      .requiredOption('--name <name>', 'what it is for')
      .addOption(
        new Option('--role <role>', 'what it may do')
          .choices(['viewer', 'editor', 'admin', 'worker'])
          .default('viewer'),
      )
      .option('--expires-in-days <n>', 'how long it is good for', days, 90)
      .addOption(
        new Option(
          '--database',
          'make it in the database itself (DATABASE_URL, or that of `start`): how the first one is made',
        ).conflicts(['url', 'tokenFile']),
      ),
  );
  withExamples(
    command,
    'millrace token create --name ci --role editor --expires-in-days 30',
    'DATABASE_URL=postgres://millrace@db/millrace millrace token create --name admin --role admin --database',
  ).action(async (options: TokenOptions) => {
    const token = options.database
      ? await (await import('../roles/console-token.ts')).createConsoleToken(options)
      : await withClient(options, (client) => createToken(client, options));
    if (options.json) return printJson(token);
    printLine(token.token);
    printNote(`Role ${token.role.toLowerCase()}, until ${token.expiresAt}. Use it as MILLRACE_TOKEN.`);
  });
}

async function createToken(client: ApiClient, { name, role, expiresInDays }: TokenOptions): Promise<Token> {
  const input = { name, role: role.toUpperCase(), expiresInDays };
  return mutate<Token>(client, CREATE, { input });
}

function days(text: string): number {
  const number = wholeNumber(text);
  if (number < 1 || number > 366) throw new InvalidArgumentError('It must be from 1 to 366.');
  return number;
}
