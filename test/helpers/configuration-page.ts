import { VARIABLES, type ConfigRole } from '../../server/config.ts';

interface Entry {
  about: string;
  fallback?: string;
  requiredBy?: ConfigRole[];
}

/** docs/configuration.md, from the table that the program itself reads. */
export function configurationPage(mark: string): string {
  const rows = Object.entries<Entry>(VARIABLES).map(([name, { about, fallback, requiredBy }]) => {
    const needed = requiredBy ? `needed by ${requiredBy.map((role) => `\`${role}\``).join(', ')}` : '';
    return `| \`${name}\` | ${about} | ${[fallback, needed].filter(Boolean).join('; ')} |`;
  });
  return `<!-- ${mark} -->

# Configuration

Everything is read from the environment, once, when a process starts. Every mistake is reported at once, and a variable that begins
with \`MILLRACE_\` but is not in this table is a mistake. An empty variable counts as not given. \`millrace start\` needs none of them.

| variable | what it is | unless given |
| --- | --- | --- |
${rows.join('\n')}
`;
}
