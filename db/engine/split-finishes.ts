/** Pure: what a batch's reports become in this flush, and what of them must wait for the next. */
import { withoutConflicts } from './flush-conflicts.ts';
import type { FinishRow } from './flush-plan.ts';
import type { AsideRow, Batch, FinishItem } from './work-items.ts';

export interface Finishes {
  rows: FinishRow[];
  aside: AsideRow[];
  /** Items that this flush answers completely. */
  ready: FinishItem[];
  later: FinishItem[];
  itemOf: Map<FinishRow | AsideRow, FinishItem>;
}

export function splitFinishes(batch: Batch): Finishes {
  const items = batch.items.filter((item) => item.kind === 'finish');
  const itemOf = new Map<FinishRow | AsideRow, FinishItem>();
  for (const item of items) for (const row of [...item.pending, ...item.aside]) itemOf.set(row, item);
  const { now, later } = withoutConflicts(items.flatMap((item) => item.pending));
  const postponed = groupByItem(later, itemOf);
  return {
    rows: now,
    aside: items.flatMap((item) => item.aside),
    ready: items.filter((item) => !postponed.has(item)),
    later: [...postponed].map(([item, pending]) => ({ ...item, pending, aside: [], rows: pending.length })),
    itemOf,
  };
}

function groupByItem(rows: FinishRow[], itemOf: Finishes['itemOf']): Map<FinishItem, FinishRow[]> {
  const groups = new Map<FinishItem, FinishRow[]>();
  for (const row of rows) {
    const item = itemOf.get(row);
    if (item) groups.set(item, [...(groups.get(item) ?? []), row]);
  }
  return groups;
}
