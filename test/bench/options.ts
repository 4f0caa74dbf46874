import { parseArgs } from 'node:util';

export interface Options {
  /** Scenario ids; empty: all. */
  only: string[];
  /** Overrides each scenario's number of rounds. */
  rounds: number | null;
  /** Fewer rounds and smaller samples: a smoke test, not a measurement. */
  quick: boolean;
  /** Measures on a busy machine too. */
  force: boolean;
  /** Keeps the databases' folder and says where it is. */
  keep: boolean;
  /** Where the report goes; null: standard output only. */
  report: string | null;
}

const USAGE = `npm run bench -- [--only L1,B2,…] [--rounds n] [--quick] [--force] [--keep] [--report file]

A full run (no --only, no --quick) writes test/bench/report.md.`;

export function readOptions(args: string[], defaultReport: string): Options {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: 'string', multiple: true, default: [] },
      rounds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      force: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      report: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    process.exit(0);
  }
  const rounds = values.rounds === undefined ? null : Number(values.rounds);
  if (rounds !== null && !(Number.isInteger(rounds) && rounds > 0))
    throw new Error(`--rounds ${values.rounds}: must be a whole number above 0.`);
  const only = values.only.flatMap((list) => list.split(',')).map((id) => id.trim().toUpperCase());
  const isFull = only.length === 0 && !values.quick;
  return {
    only,
    rounds,
    quick: values.quick,
    force: values.force,
    keep: values.keep,
    report: values.report ?? (isFull ? defaultReport : null),
  };
}
