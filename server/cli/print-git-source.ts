import type { GitSourceAnswer } from './git-documents.ts';
import { formatTime, printLine } from './output.ts';

export const shortCommit = (commit: { sha: string } | null): string => commit?.sha.slice(0, 10) ?? '';

export const titleOf = (message: string | null): string => message?.split('\n', 1)[0] ?? '';

/** How it is, in one line. */
export function gitLine({ name, state, message, commit, files, failedFiles, dagIds }: GitSourceAnswer): string {
  if (state === 'FAILED') return `${name} could not be read. ${message}`;
  if (!commit) return `${name} has not been looked at yet.`;
  const dags = dagIds.length === 1 ? '1 DAG' : `${dagIds.length} DAGs`;
  const failed = failedFiles ? `, ${failedFiles} of ${files} files do not load` : '';
  return `${name} is at ${shortCommit(commit)} "${titleOf(commit.message)}": ${dags}${failed}.`;
}

export function printGitSource(source: GitSourceAnswer): void {
  const { commit } = source;
  const lines: [string, string | number | null | undefined][] = [
    ['name', source.name],
    ['description', source.description],
    ['address', source.url],
    ['branch or tag', source.ref ?? 'the default branch'],
    ['folder', source.folder || 'the whole repository'],
    ['access', source.access.toLowerCase() + (source.username ? ` (${source.username})` : '')],
    ['webhook', source.hasWebhook ? `POST /hooks/git/${source.name}` : 'none'],
    [
      'looked at',
      `every ${source.intervalSeconds} s${source.paused ? ', paused' : ''}; last ${formatTime(source.lookedAt)}`,
    ],
    ['trusted', source.trusted ? 'yes' : 'no'],
    ['state', source.state.toLowerCase()],
    ['', source.message],
    ['commit', commit && `${commit.sha} ${titleOf(commit.message)}`],
    ['by', commit && `${commit.author} ${formatTime(commit.at)}`],
    ['deployed', source.deployedAt && `${formatTime(source.deployedAt)}, in ${source.durationMs} ms`],
    ['DAG files', source.files],
    ['DAGs', source.dagIds.join(', ')],
  ];
  for (const [label, value] of lines)
    if (value !== null && value !== undefined && value !== '') printLine(`${label.padEnd(14)} ${value}`);
  for (const { path, message } of source.importErrors)
    printLine(`\n${path} does not load:\n  ${message.replaceAll('\n', '\n  ')}`);
}
