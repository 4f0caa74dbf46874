/**
 * Who tells a claimer which tasks of a queue are ready. With Postgres the table itself is asked. A broker beside it holds no truth: it may
 * forget, repeat or mix up whatever it was told, since a row of ready_task decides, and whoever runs one puts back what it has lost.
 */
import type { ReadyRow } from '#db/queries/task-transitions/ready-rows.ts';

export interface Broker {
  /** False: there is nothing to tell it, since claims ask the table. */
  readonly tells: boolean;
  /** These rows are in line now. Never fails: what is lost here is found again. */
  publish(rows: readonly ReadyRow[]): Promise<void>;
  /** First in line first, at most so many, and gone from the broker. Null: it cannot say, ask the table. */
  take(queues: readonly string[], limit: number): Promise<ReadyRow[] | null>;
  /** Taken and still in line: for a later claim. */
  putBack(rows: readonly ReadyRow[]): Promise<void>;
}

export const POSTGRES_BROKER: Broker = {
  tells: false,
  publish: async () => undefined,
  take: async () => null,
  putBack: async () => undefined,
};
