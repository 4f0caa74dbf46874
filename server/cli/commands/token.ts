import { Option, type Command } from 'commander';
import type { ApiClient } from '../api-client.ts';
import { withClient, withConnection, type ConnectionOptions } from '../connect.ts';
import { withExamples } from '../examples.ts';
import { FAILURE, orFail, type Outcome } from '../outcome.ts';
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
  role: string;
  expiresInDays: number;
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
      .option('--expires-in-days <n>', 'how long it is good for', wholeNumber, 90),
  );
  withExamples(command, 'millrace token create --name ci --role editor --expires-in-days 30').action(
    (options: TokenOptions) => withClient(options, (client) => createToken(client, options)),
  );
}

async function createToken(client: ApiClient, { name, role, expiresInDays, json }: TokenOptions): Promise<void> {
  const input = { name, role: role.toUpperCase(), expiresInDays };
  const { createApiToken } = await client.request<{ createApiToken: Outcome<Token> }>(CREATE, { input });
  const token = orFail(createApiToken);
  if (json) return printJson(token);
  printLine(token.token);
  printNote(`Role ${token.role.toLowerCase()}, until ${token.expiresAt}. Use it as MILLRACE_TOKEN.`);
}
