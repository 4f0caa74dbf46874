/** Rounds that take turns: A B C, A B C, … so that a drift of the machine meets all sides alike. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Row, Bench } from './scenario.ts';

export interface Contender {
  row: Row;
  /** One round: everything from a fresh start to a checked result. Adds to its row. */
  round(): Promise<void>;
}

/** Runs a discarded round of each and then `rounds` of each, in turns. */
export async function takeTurns(bench: Bench, rounds: number, contenders: Contender[]): Promise<Row[]> {
  for (let round = 0; round <= rounds; round++) {
    for (const { row, round: run } of contenders) {
      if (row.failures.length > 0 && row.values.length === 0) continue;
      try {
        await run();
      } catch (error) {
        row.failures.push(error instanceof Error ? error.message : String(error));
        bench.log(`${row.side}: ${String(error)}`);
      }
      // The first one warms up code and caches
      if (round === 0) {
        row.values.length = 0;
        row.costs.length = 0;
      }
    }
  }
  return contenders.map(({ row }) => row);
}

/** Nothing waits to be written and nobody is busy: what is measured next pays for itself only. */
export async function quiet(bench: Bench): Promise<void> {
  await bench.postgres.settle();
  await sleep(bench.options.quick ? 200 : 1000);
}

export const roundsOf = ({ options }: Bench, full: number, quick: number): number =>
  options.rounds ?? (options.quick ? quick : full);
