import type { ApiClient } from './api-client.ts';
import { CommandError } from './command-error.ts';
import { printJsonLine } from './output.ts';
import { readResuming } from './resume.ts';

export interface FollowedJob {
  state: string;
}

export interface Following<Job> {
  /** A subscription whose messages are complete each. */
  query: string;
  variables: { [name: string]: unknown };
  /** JSON: an object per line. Else a line on stderr, which a terminal redraws in place. */
  json: boolean;
  describe(job: Job): string;
}

const ENDED = new Set(['COMPLETED', 'CANCELLED']);

/** Shows how a job of the service gets on, to its end. */
export async function followJob<Job extends FollowedJob>(
  client: ApiClient,
  { query, variables, json, describe }: Following<Job>,
): Promise<Job> {
  const show = json ? jsonProgress : textProgress();
  let last: Job | undefined;
  await readResuming(
    () => client.subscribe<{ [field: string]: Job }>(query, variables),
    (message) => {
      last = Object.values(message)[0]!;
      show(json ? last : describe(last), ENDED.has(last.state));
      return ENDED.has(last.state);
    },
  );
  if (!last || !ENDED.has(last.state)) throw new CommandError('Its end was not seen; it goes on without this command.');
  return last;
}

function jsonProgress(job: unknown): void {
  printJsonLine(job);
}

function textProgress(): (line: unknown, ended: boolean) => void {
  const { stderr } = process;
  let before = '';
  return (line, ended) => {
    const text = String(line);
    if (stderr.isTTY) stderr.write(`\r${text.padEnd(before.length)}${ended ? '\n' : ''}`);
    else if (text !== before) stderr.write(`${text}\n`);
    before = text;
  };
}
