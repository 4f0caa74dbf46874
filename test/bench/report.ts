/** The report: Markdown, from the rows alone. */
import { cpuPerTask, GOALS, type Goal } from './goals.ts';
import type { Machine } from './machine.ts';
import type { Cost } from './measure.ts';
import { VARIANTS, type Row } from './scenario.ts';
import { median, quantile, spread } from './statistics.ts';

export interface ReportInput {
  rows: readonly Row[];
  machine: Machine;
  versions: { [name: string]: string };
  settings: { [name: string]: string };
  /** Words of people on what the figures say; Markdown. */
  findings: string;
  when: Date;
  minutes: number;
  quick: boolean;
}

const table = (head: string[], lines: string[][]): string =>
  [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

/** Three significant digits, thousands apart. */
function show(value: number | null): string {
  if (value === null || Number.isNaN(value)) return '–';
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en');
  return value.toPrecision(value < 1 ? 2 : 3);
}

function goalLines(goal: Goal, rows: readonly Row[]): string[][] {
  return rows
    .filter((row) => row.key === goal.key && row.variant !== null)
    .map((row) => {
      const value = goal.value(row, rows);
      const met = value !== null && (goal.direction === 'at least' ? value >= goal.limit : value <= goal.limit);
      const sign = goal.direction === 'at least' ? '≥' : '≤';
      const verdict = value === null ? 'no figure' : met ? 'met' : '**missed**';
      return [
        goal.id,
        goal.text,
        row.side,
        `${sign} ${show(goal.limit)} ${goal.unit}`,
        `${show(value)} ${goal.unit}`,
        verdict,
      ];
    });
}

function ratioLines(rows: readonly Row[]): string[][] {
  const against = (mine: Row[], theirs: Row[], figure: (row: Row) => number, what: string) =>
    mine.flatMap((row) =>
      theirs.map((peer) => {
        const ratio = figure(row) / figure(peer);
        return [what, row.side, row.workload, peer.side, `${show(ratio)}×`];
      }),
    );
  const keyed = (key: string) => rows.filter((row) => row.key === key && row.values.length > 0);
  const queues = (scenario: string) => [...keyed(`${scenario}.graphile`), ...keyed(`${scenario}.bullmq`)];
  const bursts = [...keyed('B2.chain10'), ...keyed('B2.diamond10')];
  const speed = (row: Row) => median(row.values);
  const latency = [...keyed('B3.one'), ...keyed('B3.across')];
  const p = (q: number) => (row: Row) => quantile(row.values, q);
  const cpu = (row: Row) => cpuPerTask(row) ?? NaN;
  return [
    ...against(bursts, [...queues('B2'), ...keyed('L1'), ...keyed('L2')], speed, 'speed (higher is better)'),
    ...against(keyed('B2.chain10'), [...queues('B2'), ...keyed('L2')], cpu, 'CPU a task (lower is better)'),
    ...against(latency, queues('B3'), p(0.5), 'p50 (lower is better)'),
    ...against(latency, queues('B3'), p(0.99), 'p99 (lower is better)'),
  ];
}

function figures(row: Row): string {
  if (row.values.length === 0) return '–';
  const { n, median: middle, min, max } = spread(row.values);
  if (row.samples)
    return `p50 ${show(middle)}, p99 ${show(quantile(row.values, 0.99))}, max ${show(max)} ${row.unit} (n ${n})`;
  const unit = row.unit === 'ratio' ? '×' : row.unit;
  return `${show(middle)} ${unit} (${show(min)} – ${show(max)}, n ${n})`;
}

const costOf = (row: Row, pick: (cost: Cost) => number): string =>
  row.costs.length > 0 ? show(median(row.costs.map(pick))) : '–';

const rowLine = (row: Row): string[] => [
  row.key,
  row.workload,
  row.side,
  figures(row),
  `${costOf(row, (cost) => cost.nodeCpu / row.tasks)} + ${costOf(row, (cost) => cost.databaseCpu / row.tasks)}`,
  costOf(row, (cost) => cost.walBytes / row.tasks),
  costOf(row, (cost) => cost.commits / row.tasks),
  `${costOf(row, (cost) => cost.nodeMemory / 2 ** 20)} + ${costOf(row, (cost) => cost.databaseMemory / 2 ** 20)}`,
  costOf(row, (cost) => cost.foreign * 100),
];

const HEAD = [
  '',
  'workload',
  'side',
  'median (min – max)',
  'CPU µs/task node + db',
  'WAL B/task',
  'write tx/task',
  'MiB node + db',
  'others’ CPU %',
];

const pairs = (values: { [name: string]: string }): string =>
  Object.entries(values)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');

export function renderReport({
  rows,
  machine,
  versions,
  settings,
  findings,
  when,
  minutes,
  quick,
}: ReportInput): string {
  const failures = rows.flatMap((row) => row.failures.map((failure) => `- ${row.key}, ${row.side}: ${failure}`));
  const parts = [
    '# Benchmark',
    `Written by \`npm run bench\` on ${when.toISOString().slice(0, 10)} in ${minutes.toFixed(1)} minutes${quick ? ' with `--quick`: a smoke test, not a measurement' : ''}.`,
    '## Machine',
    `${machine.cpu}, ${machine.cores} cores (${machine.virtual}), ${machine.memory} of memory, ${machine.disk}, ${machine.system}. Load average before: ${machine.load.toFixed(2)}.`,
    `Versions: ${pairs(versions)}. Postgres settings: ${pairs(settings)}; otherwise as the embedded server of \`npm start\` has them.`,
    '## Goals',
    table(
      ['', 'workload', 'parts of the product', 'goal', 'measured', ''],
      GOALS.flatMap((goal) => goalLines(goal, rows)),
    ),
    `${Object.values(VARIANTS).join('; ')}.`,
    '## What falls short, and why',
    findings.trim(),
    '## Against peers and limits, same session',
    table(['', 'ours', 'workload', 'against', 'ours / theirs'], ratioLines(rows)),
    'The peers are queues: they keep no history, know no order of tasks, and (BullMQ here) write nothing to disk. L1 and L2 are what Postgres gives on this machine: L1 with a transaction for each step of each task, L2 with our own statements in full batches and nothing else.',
    '## All figures',
    table(HEAD, rows.map(rowLine)),
    failures.length > 0
      ? `Rounds without a number, because their check failed:\n\n${failures.join('\n')}`
      : 'Every round passed its check.',
    METHOD,
  ];
  return `${parts.join('\n\n')}\n`;
}

const METHOD = `## How it is measured

- One session, one PostgreSQL with the product's embedded settings (fsync and synchronous_commit on), a fresh database for each round, a checkpoint and a pause of a second before it. Sides take turns; the first round of each is thrown away. Median, with minimum and maximum, of the rounds; quantiles where single samples are taken.
- Each side is a process of its own. CPU is that of its process tree and of the database's, from \`/proc\`, divided by the tasks; "others' CPU" is what neither tree used, as a share of all cores. WAL and write transactions are the server's. Memory is what is resident at the end, private plus buffers.
- Every round of ours is checked by SQL, and has no number when it fails: each task succeeded exactly once at its first try, with one try recorded and told of once; no task started before all its upstreams had ended; each run's event log is dense; nothing is left in \`ready_task\` and \`waiting_task\`.
- B2: all runs are created in one call of the engine (in (b) and (d) inside the server, for the API triggers one run a mutation: see B2.triggers); the clock stops when the last task's report is recorded. B1: from the trigger until the end is recorded, in (b) and (d) from the client's request to the message of its subscription. B5 in (b) and (d): the run begins inside the server, the deployment is the client's. B3: triggers 11 to 19 ms apart on an idle system, from the call to the handler's first line, by the monotonic clock. B4: the history lies in the partitions that are written to.`;
