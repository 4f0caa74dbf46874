/** Options of `millrace git add` and `set`, and what is sent of them. Secrets come from files or standard input: arguments are seen by others. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { CommandError } from './command-error.ts';
import { wholeNumber } from './commands/runs.ts';
import type { ConnectionOptions } from './connect.ts';

export interface GitOptions extends ConnectionOptions {
  ref?: string;
  folder?: string;
  username?: string;
  passwordFile?: string;
  passwordStdin?: boolean;
  keyFile?: string;
  knownHostsFile?: string;
  interval?: number;
  description?: string;
  webhookSecretFile?: string;
  trusted?: boolean;
}

export const withGitOptions = (command: Command): Command =>
  command
    .option('--ref <name>', 'branch or tag; the default branch otherwise')
    .option('--folder <path>', 'where the DAG files are; the whole repository otherwise')
    .option('--username <name>', 'goes with the password; "git" otherwise')
    .option('--password-file <file>', 'password or token, for https')
    .option('--password-stdin', 'read it from standard input')
    .option('--key-file <file>', 'private key, for ssh; without a passphrase')
    .option('--known-hosts-file <file>', 'host keys of the server, as ssh-keyscan prints them')
    .option('--interval <seconds>', 'between looks', wholeNumber)
    .option('--description <text>', 'what it is for')
    .option('--webhook-secret-file <file>', 'what POST /hooks/git/<name> is signed with')
    .option('--trusted', 'its DAGs may ask of clusters what those of an administrator may')
    .option('--no-trusted', 'they may not');

/** What of it is given. */
export function gitSettings(options: GitOptions): { [field: string]: unknown } {
  const { ref, folder, interval, description, webhookSecretFile, trusted } = options;
  const settings = {
    ...{ ref, description, intervalSeconds: interval },
    folder: folder?.replace(/^\.?\/+|\/+$/g, ''),
    trusted,
    webhookSecret: webhookSecretFile === undefined ? undefined : readOrFail(webhookSecretFile).trim(),
  };
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}

/** Undefined: nothing is said of how it is reached. */
export async function gitAccess(options: GitOptions): Promise<{ [field: string]: string } | undefined> {
  const { username, passwordFile, passwordStdin, keyFile, knownHostsFile } = options;
  if (passwordFile && passwordStdin) throw new CommandError('Give one of --password-file and --password-stdin.');
  if (knownHostsFile && !keyFile) throw new CommandError('--known-hosts-file goes with --key-file.');
  const password = passwordFile ? readOrFail(passwordFile) : passwordStdin ? await readStdin() : undefined;
  if (password === undefined && !keyFile && username === undefined) return undefined;
  return {
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password: password.trim() }),
    ...(keyFile && { privateKey: readOrFail(keyFile) }),
    ...(knownHostsFile && { knownHosts: readOrFail(knownHostsFile) }),
  };
}

async function readStdin(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function readOrFail(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new CommandError(`Cannot read ${file}: ${(cause as Error).message}`, { cause });
  }
}
