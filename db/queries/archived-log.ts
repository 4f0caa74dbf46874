import { sql } from 'kysely';

/** A piece of a log that a store reads by itself. Offsets and bytes are those of the text, `size` is what it takes in the store. */
export interface LogBlock {
  offset: number;
  bytes: number;
  /** Ends of lines in it. */
  lines: number;
  size: number;
}

/** A log as it lies in a log store. */
export interface ArchivedLog {
  store: string;
  key: string;
  bytes: number;
  lines: number;
  /** In order; where one begins after the end of the one before, what lies between never arrived. */
  blocks: LogBlock[];
}

/** As JSON of row `a` of log_archive. */
export const ARCHIVED = sql`json_build_object('store', a.store, 'key', a.key, 'bytes', a.bytes, 'lines', a.lines, 'blocks', a.blocks)`;

export type ArchivedRow = Omit<ArchivedLog, 'blocks'> & { blocks: [number, number, number, number][] };

export const archivedLog = ({ blocks, ...row }: ArchivedRow): ArchivedLog => ({
  ...row,
  blocks: blocks.map(([offset, bytes, lines, size]) => ({ offset, bytes, lines, size })),
});

export const archivedBlocks = (blocks: readonly LogBlock[]): string =>
  JSON.stringify(blocks.map(({ offset, bytes, lines, size }) => [offset, bytes, lines, size]));
