/** Reads logs wherever they lie: in Postgres, in a log store, or partly in both. */
import type { StoredChunk } from '#db/queries/log.ts';
import type { LogLine } from './log-page.ts';

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
  /** Lines that hold a text, in order. The work of one call is bounded, whatever the length of the log. */
  search(log: LogKey, request: LogSearchRequest): Promise<LogHits>;
}

/** Where a search goes on. */
export interface LogPlace {
  offset: number;
  /** Lines before it. */
  line: number;
}

export interface LogSearchRequest {
  text: string;
  isCaseSensitive: boolean;
  from: LogPlace;
  /** Most hits. */
  limit: number;
  /** Lines around each hit. */
  context: number;
}

export interface LogHit {
  /** From 1. */
  lineNumber: number;
  line: LogLine;
  before: LogLine[];
  after: LogLine[];
}

export interface LogHits {
  hits: LogHit[];
  /** Null: all of what is there has been searched. */
  next: LogPlace | null;
}
