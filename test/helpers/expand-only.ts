/** The rule for migrations: one that the release before would notice says so. */

/** What in it takes away, or refuses, something that the release before does; statements as people read them. */
export function contractsIn(sql: string): string[] {
  const statements = statementsOf(sql);
  const created = new Set(
    statements.flatMap((one) => /^create table (?:if not exists )?([\w.]+)/.exec(one)?.[1] ?? []),
  );
  return statements.filter((one) => {
    const table = /^(?:alter table (?:if exists )?(?:only )?|create unique index .*?\bon (?:only )?)([\w.]+)/.exec(
      one,
    )?.[1];
    // Nobody knows it yet
    if (table !== undefined && created.has(table)) return false;
    return TAKES_AWAY.some((pattern) => pattern.test(one)) || addsDemandingColumn(one);
  });
}

const TAKES_AWAY = [
  /^drop (table|view|materialized view|type|function|sequence|schema|domain)\b/,
  /^truncate\b/,
  /^alter table .*\b(drop column|drop constraint|rename|set not null|set schema)\b/,
  /^alter table .*\balter (column )?\w+ (set data )?type\b/,
  /^alter table .*\balter (column )?\w+ drop default\b/,
  /^alter table .*\badd (constraint \w+ )?(check|unique|primary key|foreign key|exclude)\b/,
  /^alter (type|sequence|function|view|index) .*\brename\b/,
  // What the release before still writes may meet it
  /^create unique index\b/,
  /^create (constraint )?trigger\b/,
];

/** Rows that the release before inserts do not name it. */
const addsDemandingColumn = (statement: string): boolean =>
  statement.startsWith('alter table') &&
  statement
    .split(/\badd column\b/)
    .slice(1)
    .some((column) => /\bnot null\b/.test(column) && !/\b(default|generated)\b/.test(column));

/** Without comments and texts, in small letters, each on one line. */
function statementsOf(sql: string): string[] {
  return sql
    .replaceAll(/(\$\w*\$)[^]*?\1/g, "''")
    .replaceAll(/--.*$/gm, '')
    .replaceAll(/\/\*[^]*?\*\//g, '')
    .replaceAll(/'(?:[^']|'')*'/g, "''")
    .split(';')
    .map((one) => one.replaceAll(/\s+/g, ' ').trim().toLowerCase())
    .filter(Boolean);
}
