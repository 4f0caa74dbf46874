/** What a shell would call in a piece of documentation, and whether there is such a command. */
import type { Command } from 'commander';
import { createProgram } from '../../server/cli/main.ts';

const SEPARATORS = new Set(['|', '&', ';', '(', ')', '<', '>', '\n']);

/** The words of each command, quotes taken away. Variables and substitutions stay as they are written. */
export function shellCommands(text: string): string[][] {
  const commands: string[][] = [[]];
  let word: string | null = null;
  const endWord = () => {
    if (word !== null) commands.at(-1)!.push(word);
    word = null;
  };
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!;
    if (char === "'" || char === '"') {
      const end = text.indexOf(char, at + 1);
      if (end < 0) throw new Error(`A quote is never closed: ${text.slice(at, at + 40)}`);
      word = (word ?? '') + text.slice(at + 1, end);
      at = end;
    } else if (char === '\\') {
      at++;
      if (text[at] !== '\n') word = (word ?? '') + (text[at] ?? '');
    } else if (char === '#' && word === null) {
      at = text.indexOf('\n', at) < 0 ? text.length : text.indexOf('\n', at) - 1;
    } else if (SEPARATORS.has(char)) {
      endWord();
      commands.push([]);
    } else if (char === ' ' || char === '\t') endWord();
    else word = (word ?? '') + char;
  }
  endWord();
  return commands.filter((words) => words.length > 0);
}

/** The arguments of those that are ours. */
export const millraceCommands = (text: string): string[][] =>
  shellCommands(text)
    .map((words) => words.slice(words.findIndex((word) => !/^[A-Za-z_]\w*=/.test(word))))
    .map((words) => (words[0] === 'npx' ? words.slice(1) : words))
    .filter(([name]) => name === 'millrace')
    .map((words) => words.slice(1));

/** Throws what commander would say of it, without running anything. */
export function checkCommand(words: readonly string[]): void {
  let command: Command = createProgram();
  let rest = [...words];
  for (;;) {
    const next: Command | undefined = command.commands.find(
      (sub) => sub.name() === rest[0] || sub.aliases().includes(rest[0] ?? ''),
    );
    if (!next) break;
    command = next;
    rest = rest.slice(1);
  }
  if (command.commands.length > 0) throw new Error(`There is no command 'millrace ${words.join(' ')}'.`);
  command.exitOverride().configureOutput({ writeErr: () => undefined });
  const { operands, unknown } = command.parseOptions(rest);
  if (unknown.length > 0) throw new Error(`'${command.name()}' has no option '${unknown[0]}'.`);
  const missing = command.options.find((option) => option.mandatory && !(option.attributeName() in command.opts()));
  if (missing) throw new Error(`'${command.name()}' needs '${missing.flags}'.`);
  const args = command.registeredArguments;
  const needed = args.filter((argument) => argument.required).length;
  const isVariadic = args.at(-1)?.variadic === true;
  if (operands.length < needed || (operands.length > args.length && !isVariadic))
    throw new Error(`'${command.name()} ${command.usage()}' is given ${operands.length} arguments.`);
  args.forEach((argument, index) => {
    const given = operands[index];
    if (given !== undefined && argument.parseArg) argument.parseArg(given, undefined as never);
  });
}
