/** One page of a list ordered by a unique key: rows strictly between the two keys, nearest to `after` first unless inverted. */
export interface KeysetPage<Key> {
  after?: Key | undefined;
  before?: Key | undefined;
  limit: number;
  /** From the end backwards. */
  inverted: boolean;
}
