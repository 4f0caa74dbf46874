/** Reads logs wherever they lie: in Postgres, in a log store, or partly in both. */
import type { StoredChunk } from '#db/queries/log.ts';

/** A dispatch. */
export interface LogKey {
  runId: number;
  uuid: string;
}

export interface LogPiece {
  /** In order, from the one that holds the byte before the offset on. What lies between two of them is missing. */
  chunks: StoredChunk[];
  /** Nothing follows them. */
  exhausted: boolean;
}

export interface LogReader {
  /** The next piece from an offset on, of a size that one answer can hold. */
  read(log: LogKey, offset: number): Promise<LogPiece>;
  /** Where the last so many lines begin. */
  findTail(log: LogKey, lines: number): Promise<number>;
}
