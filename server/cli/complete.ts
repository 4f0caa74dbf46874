/** What could stand at the end of a command line that is being written. */
import type { Argument, Command, Option } from 'commander';

/** Names that only the service knows, by the name of the argument: `dag`, `run`. */
export type NamesOf = (kind: string) => Promise<string[]>;

/** `words` are those after `millrace`; the last one is being written and may be empty. Nothing found: it may be a file. */
export async function completionsOf(program: Command, words: readonly string[], namesOf: NamesOf): Promise<string[]> {
  const word = words.at(-1) ?? '';
  const { command, positional, option } = walk(program, words.slice(0, -1));
  const found = await candidates(command, { word, positional, option, namesOf });
  return found.filter((candidate) => candidate.startsWith(word)).sort();
}

interface Place {
  command: Command;
  /** Arguments of the command so far. */
  positional: number;
  /** The option whose value comes next. */
  option: Option | null;
}

function walk(program: Command, words: readonly string[]): Place {
  let place: Place = { command: program, positional: 0, option: null };
  for (const word of words) {
    const { command, positional, option } = place;
    if (option) place = { ...place, option: null };
    else if (word.startsWith('-')) place = { ...place, option: valueOption(command, word) };
    else {
      const sub = command.commands.find((candidate) => candidate.name() === word);
      place = sub
        ? { command: sub, positional: 0, option: null }
        : { command, positional: positional + 1, option: null };
    }
  }
  return place;
}

const valueOption = (command: Command, word: string): Option | null =>
  command.options.find((option) => (option.long === word || option.short === word) && option.required) ?? null;

interface Wanted extends Omit<Place, 'command'> {
  word: string;
  namesOf: NamesOf;
}

async function candidates(command: Command, { word, positional, option, namesOf }: Wanted): Promise<string[]> {
  if (option) return option.argChoices ?? (await namesOf(option.attributeName()));
  if (word.startsWith('-')) return [...command.options.flatMap(({ long }) => long ?? []), '--help'];
  const subcommands = command.createHelp().visibleCommands(command);
  if (subcommands.length > 0 && positional === 0) return subcommands.map((sub) => sub.name());
  const argument = argumentAt(command, positional);
  return argument ? (argument.argChoices ?? namesOf(argument.name())) : [];
}

function argumentAt({ registeredArguments: all }: Command, index: number): Argument | undefined {
  const last = all.at(-1);
  return all[index] ?? (last?.variadic ? last : undefined);
}
