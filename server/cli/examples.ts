import type { Command } from 'commander';

/** Shows how a command is used below its options. Documentation is made from the same lines. */
export function withExamples(command: Command, ...examples: string[]): Command {
  examplesOf.set(command, examples);
  return command.addHelpText('after', `\nExamples:\n${examples.map((line) => `  ${line}`).join('\n')}`);
}

const examplesOf = new WeakMap<Command, string[]>();

export const listExamples = (command: Command): string[] => examplesOf.get(command) ?? [];
