import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { readConfig } from '../config.ts';
import { createApiClient, type ApiClient } from './api-client.ts';
import { CommandError } from './command-error.ts';
import { withExamples } from './examples.ts';
import { readServiceFile } from './service-file.ts';

export interface ConnectionOptions {
  url?: string;
  tokenFile?: string;
  json?: boolean;
}

/** What every command that speaks GraphQL takes. The token itself is no option: others can read a process's arguments. */
export const withConnection = (command: Command): Command =>
  command
    .option('--url <address>', 'address of the service (MILLRACE_URL)')
    .option('--token-file <file>', 'file that holds the API token (MILLRACE_TOKEN)')
    .option('--json', 'print JSON');

/** Runs `work` with a client, from options, environment, or what `millrace start` left in MILLRACE_HOME, in this order. */
export async function withClient<T>(options: ConnectionOptions, work: (client: ApiClient) => Promise<T>): Promise<T> {
  const config = readConfig('client');
  const service = await readServiceFile(config.home);
  const url = options.url ?? config.url ?? service?.url;
  if (!url)
    throw new CommandError(
      `No service known: run "millrace start", or name one with --url or MILLRACE_URL (looked in ${config.home}).`,
    );
  const given = options.tokenFile ? (await readFile(options.tokenFile, 'utf8')).trim() : config.token;
  // The local service's token is for it alone, never for another address.
  const token = given ?? (service && sameOrigin(service.url, url) ? service.token : undefined);
  if (!token)
    throw new CommandError(
      `No token for ${url}: set MILLRACE_TOKEN or give --token-file. The first one is made where the database is: "millrace token create --name admin --role admin --database".`,
    );
  const client = createApiClient({ url, token });
  try {
    return await work(client);
  } finally {
    await client.stop();
  }
}

/** Completes a command that speaks GraphQL: `act` gets a client, its arguments and its options. */
export function serviceCommand<Given extends unknown[]>(
  command: Command,
  act: (client: ApiClient, ...given: Given) => Promise<void>,
  ...examples: string[]
): void {
  withConnection(command).action((...given: [...Given, Command]) =>
    withClient(command.opts<ConnectionOptions>(), (client) => act(client, ...(given.slice(0, -1) as Given))),
  );
  if (examples.length > 0) withExamples(command, ...examples);
}

const sameOrigin = (a: string, b: string): boolean => URL.canParse(b) && new URL(a).origin === new URL(b).origin;
