import type { Command } from 'commander';
import type { ApiClient } from '../api-client.ts';
import { CommandError } from '../command-error.ts';
import { withClient, withConnection, type ConnectionOptions } from '../connect.ts';
import { withExamples } from '../examples.ts';
import { printJson, printNote } from '../output.ts';

const REWRAP = /* GraphQL */ `
  mutation RewrapSecrets {
    rewrapSecrets {
      rewrapped
      unreadable
    }
  }
`;

export function addSecretsCommand(program: Command): void {
  const secrets = program.command('secrets').description('what is stored encrypted');
  const command = withConnection(
    secrets.command('rewrap').description('after a change of MILLRACE_SECRET_KEY: put all secrets under the new key'),
  );
  withExamples(command, 'millrace secrets rewrap').action((options: ConnectionOptions) =>
    withClient(options, (client) => rewrap(client, options)),
  );
}

async function rewrap(client: ApiClient, { json }: ConnectionOptions): Promise<void> {
  const answer = await client.request<{ rewrapSecrets: { rewrapped: number; unreadable: string[] } }>(REWRAP);
  const { rewrapped, unreadable } = answer.rewrapSecrets;
  if (json) printJson(answer.rewrapSecrets);
  else printNote(`${rewrapped} secrets are under the new key now.`);
  if (unreadable.length > 0)
    throw new CommandError(
      `The service has no key for these: give it in MILLRACE_OLD_SECRET_KEYS, or set them anew.\n${unreadable.map((what) => `  ${what}`).join('\n')}`,
    );
}
