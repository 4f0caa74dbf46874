import { Argument, type Command } from 'commander';
import type { ApiClient } from '../api-client.ts';
import { completionsOf } from '../complete.ts';
import { SHELLS, type Shell } from '../completion-scripts.ts';
import { withClient } from '../connect.ts';
import { withExamples } from '../examples.ts';

const NAMES = /* GraphQL */ `
  query CompletionNames {
    dags(first: 200) {
      edges {
        node {
          dagId
        }
      }
    }
    dagRuns(first: 50) {
      edges {
        node {
          runId
        }
      }
    }
  }
`;

interface Names {
  dags: { edges: { node: { dagId: string } }[] };
  dagRuns: { edges: { node: { runId: string } }[] };
}

export function addCompletionCommands(program: Command): void {
  withExamples(
    program
      .command('completion')
      .description('print what makes a shell complete commands, options, DAGs and runs')
      .addArgument(new Argument('<shell>', 'which shell').choices(Object.keys(SHELLS))),
    'source <(millrace completion bash)    # in ~/.bashrc; zsh: in ~/.zshrc, after compinit',
    'millrace completion fish > ~/.config/fish/completions/millrace.fish',
  ).action((shell: Shell) => void process.stdout.write(SHELLS[shell]));
  program
    .command('complete', { hidden: true })
    .description('what the shell asks')
    .argument('[words...]', 'the command line so far')
    .action((words: string[]) => complete(program, words));
}

async function complete(program: Command, words: string[]): Promise<void> {
  const found = await completionsOf(program, words, namesOf);
  process.stdout.write(found.map((candidate) => `${candidate}\n`).join(''));
}

const KINDS = new Set(['dag', 'run', 'run-or-dag']);

/** A person waits for the next key. */
const PATIENCE_MS = 1_500;

/** No service, no names: the command line is still there to be written by hand. */
async function namesOf(kind: string): Promise<string[]> {
  if (!KINDS.has(kind)) return [];
  const read = async (client: ApiClient) => {
    const { dags, dagRuns } = await client.request<Names>(NAMES);
    return [
      ...(kind === 'run' ? [] : dags.edges.map(({ node }) => node.dagId)),
      ...(kind === 'dag' ? [] : dagRuns.edges.map(({ node }) => node.runId)),
    ];
  };
  const late = new Promise<string[]>((resolve) => setTimeout(resolve, PATIENCE_MS, []).unref());
  return Promise.race([withClient({}, read).catch(() => []), late]);
}
