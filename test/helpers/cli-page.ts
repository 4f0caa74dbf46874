import type { Command } from 'commander';
import { listExamples } from '../../server/cli/examples.ts';
import { createProgram } from '../../server/cli/main.ts';

const INTRODUCTION = `Results go to stdout, all else to stderr. \`--json\` prints JSON where a program reads on. The exit status tells the outcome: 0 success,
1 the command failed; commands that wait for a run end with 2 when it failed and 3 when it was cancelled. So do backfills, by all of their
runs, and what is done to many runs of a DAG: 2 when some of them refused it.

Commands that speak to a service find it by \`--url\` or \`MILLRACE_URL\` with the token in \`MILLRACE_TOKEN\` or \`--token-file\`; without them they
take the one that \`millrace start\` runs here. \`init\`, \`test\`, \`validate\`, \`import\` and \`completion\` need none.`;

const TEST = `A run in the terminal means the same as one in the service: the same engine, scheduler and task processes, on a PostgreSQL that is
started for it and gone afterwards. Its template is kept in \`MILLRACE_HOME\`. The differences: a task has one try unless \`--try-all\` is
given, no schedule makes runs beside yours, nobody is notified, every queue is served and pools have room. Sensors and triggered runs wait as
ever; an approval takes what \`--decide\` says, or asks in the terminal. Where nobody can be asked it takes its default when its time is over, and
fails at once when it has none. A terminal shows a tree that is redrawn in place, anything else gets a
line per change. Variables and connections come from files, in the form that \`variable import\` and \`connection import\` read.`;

/** Below the options of a command. */
const REMARKS: { [command: string]: string } = { test: TEST };

const EXPLAINED_ABOVE = new Set(['--help', '--url', '--token-file']);

/** docs/cli.md, from the commands themselves. */
export function cliPage(mark: string): string {
  const program = createProgram();
  const sections = leavesOf(program).sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  const list = sections.map(
    (command) =>
      `| [\`${nameOf(command)}\`](#millrace-${nameOf(command).replaceAll(' ', '-')}) | ${command.description()} |`,
  );
  return `<!-- ${mark} -->

# Commands

${INTRODUCTION}

| \`millrace …\` | |
| --- | --- |
${list.join('\n')}

${sections.map(sectionOf).join('\n')}`;
}

function leavesOf(command: Command): Command[] {
  const subs = command
    .createHelp()
    .visibleCommands(command)
    .filter((sub) => sub.name() !== 'help');
  return subs.length === 0 ? [command] : subs.flatMap(leavesOf);
}

const nameOf = (command: Command): string =>
  command.parent?.parent ? `${nameOf(command.parent)} ${command.name()}` : command.name();

function sectionOf(command: Command): string {
  const help = command.createHelp();
  const rows = [
    ...help
      .visibleArguments(command)
      .map((argument) => [help.argumentTerm(argument), help.argumentDescription(argument)]),
    ...help
      .visibleOptions(command)
      .filter(({ long }) => !EXPLAINED_ABOVE.has(long ?? ''))
      .map((option) => [help.optionTerm(option), help.optionDescription(option)]),
  ];
  const table = rows.map(([term, about]) => `| \`${term}\` | ${about?.replaceAll('|', '\\|')} |`);
  const usage = `millrace ${nameOf(command)} ${command.usage().replace('[options] ', '')}`.trim();
  const description = command.description();
  return [
    `## millrace ${nameOf(command)}\n`,
    `${description[0]?.toUpperCase()}${description.slice(1)}.\n`,
    `\`${usage}\`\n`,
    ...(table.length > 0 ? ['| | |\n| --- | --- |', ...table, ''] : []),
    ...(REMARKS[nameOf(command)] ? [`${REMARKS[nameOf(command)]}\n`] : []),
    ...(listExamples(command).length > 0 ? ['```sh', ...listExamples(command), '```', ''] : []),
  ].join('\n');
}
