import { parseInteger } from './connection.ts';

/** In the order of `ids`; null for what is gone or was never there. */
export async function loadById<Row extends { id: number }>(
  ids: readonly string[],
  find: (ids: number[]) => Promise<Row[]>,
): Promise<(Row | null)[]> {
  const numbers = ids.map(parseInteger);
  const known = numbers.filter((id) => id !== undefined);
  const rows = known.length === 0 ? [] : await find(known);
  const byId = new Map(rows.map((row) => [row.id, row]));
  return numbers.map((id) => (id === undefined ? null : (byId.get(id) ?? null)));
}
