import type { Command } from 'commander';
import type { ApiClient } from '../api-client.ts';
import { CommandError } from '../command-error.ts';
import { serviceCommand, type ConnectionOptions } from '../connect.ts';
import {
  CHANGES,
  CREATE,
  DELETE,
  LIST,
  SHOW,
  SYNC,
  UPDATE,
  type DeletedAnswer,
  type GitSourceAnswer,
} from '../git-documents.ts';
import { gitAccess, gitSettings, withGitOptions, type GitOptions } from '../git-options.ts';
import { mutate } from '../outcome.ts';
import { printJson, printNote, printTable } from '../output.ts';
import { gitLine, printGitSource, shortCommit } from '../print-git-source.ts';
import { readResuming } from '../resume.ts';

export function addGitCommand(program: Command): void {
  const git = program.command('git').description('Git repositories that DAGs are deployed from');
  const sub = (name: string, about: string) => git.command(name).description(about).argument('<name>', 'its name');
  const adding = withGitOptions(
    git
      .command('add')
      .description('deploy the DAGs of a repository, now and each time it has a new commit')
      .argument('<name>', 'what to call it')
      .argument('<url>', 'its address, over https or ssh'),
  );
  serviceCommand(
    adding,
    add,
    'millrace git add etl https://github.com/team/dags.git --folder dags --password-file token.txt',
    'millrace git add ml git@git.example.com:ml/flows.git --ref release --key-file key --known-hosts-file known_hosts',
  );
  serviceCommand(
    withGitOptions(sub('set', 'change one; what is not given stays as it is').option('--address <url>', 'its address')),
    change,
    'millrace git set etl --ref main --interval 300',
  );
  serviceCommand(git.command('list').description('list the Git sources and how they are'), list);
  serviceCommand(sub('show', 'print all about one, with its files that do not load'), show, 'millrace git show etl');
  serviceCommand(
    sub('sync', 'look at one now, load all its files, and wait until that is done'),
    sync,
    'millrace git sync etl',
  );
  serviceCommand(sub('pause', 'do not look at one; its DAGs go on'), pause(true));
  serviceCommand(sub('unpause', 'look at it again'), pause(false));
  serviceCommand(
    sub('remove', 'forget one; its DAGs are deactivated, with their runs and versions kept').option(
      '--keep-dags',
      'its DAGs stay active as they are',
    ),
    remove,
  );
}

async function add(client: ApiClient, name: string, url: string, options: GitOptions): Promise<void> {
  const access = await gitAccess(options);
  const input = { name, url, ...(access && { access }), settings: gitSettings(options) };
  const made = await mutate<GitSourceAnswer>(client, CREATE, { input });
  tell(await awaitLook(client, name, made), options);
}

async function change(client: ApiClient, name: string, options: GitOptions & { address?: string }): Promise<void> {
  const access = await gitAccess(options);
  const { address: url } = options;
  const input = { name, ...(url && { url }), ...(access && { access }), settings: gitSettings(options) };
  const changed = await mutate<GitSourceAnswer>(client, UPDATE, { input });
  tell(changed.paused ? changed : await awaitLook(client, name, changed), options);
}

async function sync(client: ApiClient, name: string, options: ConnectionOptions): Promise<void> {
  const before = await find(client, name);
  await mutate<object>(client, SYNC, {
    input: { name },
  });
  const source = await awaitLook(client, name, before);
  tell(source, options);
  if (source.state === 'FAILED' || source.importErrors.length > 0) process.exitCode = 1;
}

/** A look that was under way when this one was asked for comes first; then the source is due again at once. */
const isDone = (source: GitSourceAnswer, before: GitSourceAnswer): boolean =>
  source.lookedAt !== null &&
  source.lookedAt !== before.lookedAt &&
  !source.looking &&
  Date.parse(source.nextLookAt ?? '') > Date.parse(source.lookedAt);

/** After which it says why nothing happens. */
const HINT_MS = 15_000;

async function awaitLook(client: ApiClient, name: string, before: GitSourceAnswer): Promise<GitSourceAnswer> {
  let last: GitSourceAnswer | undefined;
  const hint = setTimeout(() => {
    if (!last?.looking) printNote(`Waiting for a scheduler to look at ${name}. Ctrl-C leaves it to do so.`);
  }, HINT_MS);
  await readResuming(
    () => client.subscribe<{ gitSourceChanges: { gitSources: GitSourceAnswer[] } }>(CHANGES, {}),
    ({ gitSourceChanges }) => {
      last = gitSourceChanges.gitSources.find((source) => source.name === name);
      return last === undefined || isDone(last, before);
    },
  ).finally(() => clearTimeout(hint));
  if (!last) throw new CommandError(`The Git source "${name}" was removed meanwhile.`);
  return last;
}

function tell(source: GitSourceAnswer, { json }: ConnectionOptions): void {
  if (json) return printJson(source);
  printNote(gitLine(source));
  for (const { path, message } of source.importErrors) printNote(`  ${path}: ${message.replaceAll('\n', '\n    ')}`);
}

async function list(client: ApiClient, { json }: ConnectionOptions): Promise<void> {
  const { gitSources } = await client.request<{ gitSources: GitSourceAnswer[] }>(LIST);
  if (json) return printJson(gitSources);
  const rows = gitSources.map(({ name, state, paused, commit, dagIds, files, failedFiles, url, ref, folder }) => ({
    name,
    state: state.toLowerCase() + (paused ? ', paused' : ''),
    commit: shortCommit(commit),
    dags: dagIds.length,
    files,
    failed: failedFiles,
    from: [url, ref && `@${ref}`, folder && `:${folder}`].filter(Boolean).join(' '),
  }));
  printTable(rows, 'No Git sources yet: "millrace git add <name> <url>" makes one known.');
}

async function find(client: ApiClient, name: string): Promise<GitSourceAnswer> {
  const { gitSource } = await client.request<{ gitSource: GitSourceAnswer | null }>(SHOW, { name });
  if (!gitSource) throw new CommandError(`There is no Git source "${name}".`);
  return gitSource;
}

async function show(client: ApiClient, name: string, { json }: ConnectionOptions): Promise<void> {
  const source = await find(client, name);
  if (json) return printJson(source);
  printGitSource(source);
}

const pause =
  (paused: boolean) =>
  async (client: ApiClient, name: string, { json }: ConnectionOptions) => {
    const input = { name, settings: { paused } };
    const changed = await mutate<GitSourceAnswer>(client, UPDATE, { input });
    if (json) return printJson(changed);
    printNote(paused ? `${name} is paused: its DAGs stay as they are.` : `${name} is looked at again.`);
  };

async function remove(
  client: ApiClient,
  name: string,
  options: ConnectionOptions & { keepDags?: boolean },
): Promise<void> {
  const input = { name, keepDags: options.keepDags ?? false };
  const gone = await mutate<DeletedAnswer>(client, DELETE, { input });
  if (options.json) return printJson(gone);
  printNote(`${name} is forgotten.`);
  if (gone.deactivatedDagIds.length > 0) printNote(`Not active any more: ${gone.deactivatedDagIds.join(', ')}`);
  if (gone.keptDagIds.length > 0) printNote(`Active as they are: ${gone.keptDagIds.join(', ')}`);
}
