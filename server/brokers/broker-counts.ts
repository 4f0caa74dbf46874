/** What a process has done with its broker so far. */
export interface BrokerCounts {
  /** Rows that it was told of, and those that it could not be told of. */
  told: number;
  lost: number;
  /** Rows that claims were given; a few of them were gone already. */
  taken: number;
  /** Claims that had to ask the table, since it was away. */
  fallbacks: number;
  /** Rows that it lacked, and entries dropped because their rows were gone. */
  mended: number;
  dropped: number;
}

export const noCounts = (): BrokerCounts => ({ told: 0, lost: 0, taken: 0, fallbacks: 0, mended: 0, dropped: 0 });
