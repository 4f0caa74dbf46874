import { InvalidArgumentError, type Command } from 'commander';
import type { ApiClient } from '../api-client.ts';
import { CommandError } from '../command-error.ts';
import { withClient, withConnection, type ConnectionOptions } from '../connect.ts';
import { withExamples } from '../examples.ts';
import { printJson, printLine, printNote } from '../output.ts';

const VERSIONS = /* GraphQL */ `
  query NewestVersion($dagId: String!) {
    dag(dagId: $dagId) {
      versions(first: 1) {
        edges {
          node {
            number
          }
        }
      }
    }
  }
`;
const DIFF = /* GraphQL */ `
  query VersionDiff($dagId: String!, $from: Int!, $to: Int!) {
    dagVersionDiff(dagId: $dagId, from: $from, to: $to) {
      settings {
        field
        before
        after
      }
      tasks {
        taskId
        change
        fields {
          field
          before
          after
        }
      }
      edges {
        from
        to
        change
      }
      codeChanged
    }
  }
`;

interface FieldChange {
  field: string;
  before: unknown;
  after: unknown;
}
export interface VersionDiff {
  settings: FieldChange[];
  tasks: { taskId: string; change: 'ADDED' | 'REMOVED' | 'CHANGED'; fields: FieldChange[] }[];
  edges: { from: string; to: string; change: 'ADDED' | 'REMOVED' }[];
  codeChanged: boolean;
}

export function addDiffCommand(program: Command): void {
  withExamples(
    withConnection(
      program
        .command('diff')
        .description('show what is different between two versions of a DAG')
        .argument('<dag>', 'name of the DAG')
        .argument('[from]', 'number of the older version; the one before the other unless given', versionNumber)
        .argument('[to]', 'number of the newer version; the newest unless given', versionNumber),
    ),
    'millrace diff etl_daily',
    'millrace diff etl_daily 3 7',
  ).action((dagId: string, from: number | undefined, to: number | undefined, options: ConnectionOptions) =>
    withClient(options, (client) => diff(client, dagId, { from, to, json: options.json === true })),
  );
}

function versionNumber(text: string): number {
  const [, digits] = /^v?(\d+)$/.exec(text) ?? [];
  if (digits === undefined) throw new InvalidArgumentError('It must be a whole number.');
  return Number(digits);
}

interface Wanted {
  from: number | undefined;
  to: number | undefined;
  json: boolean;
}

async function diff(client: ApiClient, dagId: string, wanted: Wanted): Promise<void> {
  const to = wanted.to ?? (await newestVersion(client, dagId));
  const from = wanted.from ?? to - 1;
  if (from < 1) return printNote(`"${dagId}" has one version only.`);
  const answer = await client.request<{ dagVersionDiff: VersionDiff | null }>(DIFF, { dagId, from, to });
  const found = answer.dagVersionDiff;
  if (!found) throw unknownDag(dagId);
  if (wanted.json) return printJson({ dagId, from, to, ...found });
  const lines = describeDiff(found);
  if (lines.length === 0) return printNote(`Versions ${from} and ${to} of "${dagId}" are the same.`);
  printLine(`${dagId}: version ${from} → ${to}`);
  lines.forEach(printLine);
}

const unknownDag = (dagId: string) => new CommandError(`There is no DAG "${dagId}"; "millrace dags" lists them.`);

async function newestVersion(client: ApiClient, dagId: string): Promise<number> {
  type Answer = { dag: { versions: { edges: { node: { number: number } }[] } } | null };
  const { dag } = await client.request<Answer>(VERSIONS, { dagId });
  if (!dag) throw unknownDag(dagId);
  return dag.versions.edges[0]?.node.number ?? 0;
}

const SIGNS = { ADDED: '+', REMOVED: '-', CHANGED: '~' } as const;

/** A line per change, by section; nothing when there is no change. */
export function describeDiff({ settings, tasks, edges, codeChanged }: VersionDiff): string[] {
  const section = (title: string, lines: string[]) => (lines.length > 0 ? ['', title, ...lines] : []);
  return [
    ...section(
      'Settings',
      settings.flatMap((change) => fieldLines(change, '  ')),
    ),
    ...section(
      'Tasks',
      tasks.flatMap(({ taskId, change, fields }) => [
        `  ${SIGNS[change]} ${taskId}`,
        ...fields.flatMap((field) => fieldLines(field, '      ')),
      ]),
    ),
    ...section(
      'Order',
      edges.map(({ from, to, change }) => `  ${SIGNS[change]} ${from} → ${to}`),
    ),
    ...section('Code', codeChanged ? ['  ~ the bundle of code is another one'] : []),
  ];
}

/** Values that fit into a line stand in it; others stand below each other. */
const LINE = 60;

function fieldLines({ field, before, after }: FieldChange, indent: string): string[] {
  const [old, now] = [textOf(before), textOf(after)];
  if (old.length + now.length <= LINE && !`${old}${now}`.includes('\n')) return [`${indent}${field}: ${old} → ${now}`];
  const block = (sign: string, text: string) => text.split('\n').map((line) => `${indent}  ${sign} ${line}`);
  return [`${indent}${field}:`, ...block('-', old), ...block('+', now)];
}

/** Text of several lines, such as a script, as it was written. */
function textOf(value: unknown): string {
  if (value === null || value === undefined) return 'none';
  return typeof value === 'string' && value.includes('\n') ? value.trimEnd() : JSON.stringify(value);
}
