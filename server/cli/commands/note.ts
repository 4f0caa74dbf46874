import type { Command } from 'commander';
import type { ApiClient } from '../api-client.ts';
import { CommandError } from '../command-error.ts';
import { withClient, withConnection, type ConnectionOptions } from '../connect.ts';
import { withExamples } from '../examples.ts';
import { findTaskInstance } from '../find-task-instance.ts';
import { FAILURE, mutate } from '../outcome.ts';
import { printJson, printLine } from '../output.ts';

const NOTE_RUN = /* GraphQL */ `
  mutation NoteRun($runId: ID!, $text: String!) {
    setRunNote(runId: $runId, text: $text) {
      ...Failure
      ... on MutationSetRunNoteSuccess {
        data {
          runId
          note {
            text
            updatedBy
            updatedAt
          }
        }
      }
    }
  }
  ${FAILURE}
`;
const NOTE_TASK = /* GraphQL */ `
  mutation NoteTask($taskInstanceId: ID!, $text: String!) {
    setTaskNote(taskInstanceId: $taskInstanceId, text: $text) {
      ...Failure
      ... on MutationSetTaskNoteSuccess {
        data {
          taskId
          mapIndex
          note {
            text
            updatedBy
            updatedAt
          }
        }
      }
    }
  }
  ${FAILURE}
`;

interface Noted {
  note: { text: string; updatedBy: string; updatedAt: string } | null;
}

export function addNoteCommand(program: Command): void {
  withExamples(
    withConnection(
      program
        .command('note')
        .usage('[options] <run> [task] <text>')
        .description('write beside a run, or beside a task of it; an empty text takes the note away')
        .argument('<run>', 'id of the run')
        .argument('<task-and-text...>', 'id of the task, as load or load[3], if it is about one; and Markdown'),
    ),
    `millrace note 1204 'the source was late'`,
    `millrace note 1204 load[3] 'this file was broken, see the ticket'`,
  ).action((runId: string, words: string[], options: ConnectionOptions) =>
    withClient(options, (client) => writeNote(client, runId, words, options)),
  );
}

async function writeNote(
  client: ApiClient,
  runId: string,
  words: string[],
  { json }: ConnectionOptions,
): Promise<void> {
  if (words.length > 2) throw new CommandError('Put the text into quotes: it is one argument.');
  const [task, text] = words.length === 2 ? words : [undefined, words[0]];
  const noted =
    task === undefined
      ? await mutate<Noted>(client, NOTE_RUN, { runId, text })
      : await mutate<Noted>(client, NOTE_TASK, {
          taskInstanceId: (await findTaskInstance(client, runId, task)).id,
          text,
        });
  if (json) return printJson(noted);
  const where = task === undefined ? `run ${runId}` : `${task} of run ${runId}`;
  printLine(noted.note === null ? `${where} has no note any more` : `noted beside ${where}`);
}
