/** Where sealed logs lie that have left Postgres. */
import type { ArchivedLog, LogBlock } from '#db/queries/archived-log.ts';

export const LOG_STORES = ['postgres', 'file', 's3', 'elasticsearch'] as const;
export type LogStoreName = (typeof LOG_STORES)[number];

/** What a log is called by people, and the parts that make it the only one of its name. */
export interface LogName {
  runId: number;
  uuid: string;
  dagId: string;
  taskId: string;
  mapIndex: number;
  tryNumber: number;
  /** Of the text that is written: a log that has grown since is another object. */
  bytes: number;
}

/** Whole lines, unless one is longer than a block. */
export interface TextBlock {
  offset: number;
  text: Buffer;
  lines: number;
}

export interface LogStore {
  readonly name: string;
  keyOf(log: LogName): string;
  /** All of it or nothing, in place of what may be there under the key. What it takes is in `size` of the blocks that it resolves to. */
  write(key: string, blocks: AsyncIterable<TextBlock>, log: LogName): Promise<LogBlock[]>;
  /** The text of the blocks from the index `from` to before `to`, in order. Rejects with a LogGone when it is not there. */
  read(log: Pick<ArchivedLog, 'key' | 'blocks'>, from: number, to: number): Promise<Buffer[]>;
  /** Which of the blocks from `from` on may hold the text, in any case of letters: others need not be read. Null: any may. */
  narrow?(log: Pick<ArchivedLog, 'key' | 'blocks'>, text: string, from: number): Promise<number[] | null>;
  /** Twice does no harm. */
  delete(keys: readonly string[]): Promise<void>;
  /** Rejects when nothing could be written now. */
  check(): Promise<void>;
  close?(): void;
}

/** The store answers, but has no such log. */
export class LogGone extends Error {
  constructor(store: string, key: string, options?: ErrorOptions) {
    super(`The log store "${store}" has no "${key}" any more: somebody else has deleted it.`, options);
    this.name = 'LogGone';
  }
}
