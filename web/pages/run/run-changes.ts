import type { RunEvents } from '../../graphql/documents/runs.ts';
import type { ResultOf } from '../../graphql/graphql.ts';
import { applyTransition, rowKey, type TaskRow, type Transition } from './task-rows.ts';

export type RunEvent = ResultOf<typeof RunEvents>['dagRunEvents'];
/** The transitions of each row, oldest first. */
export type Changes = ReadonlyMap<string, readonly { transition: Transition; seq: number }[]>;

export function collectChanges(events: readonly RunEvent[]): Changes {
  const changes = new Map<string, { transition: Transition; seq: number }[]>();
  for (const event of events) {
    const seq = Number(event.cursor);
    for (const transition of event.transitions) {
      const key = rowKey(transition.taskIndex, transition.mapIndex);
      const list = changes.get(key);
      if (list) list.push({ transition, seq });
      else changes.set(key, [{ transition, seq }]);
    }
  }
  return changes;
}

export function applyChanges(rows: readonly TaskRow[], changes: Changes): readonly TaskRow[] {
  if (changes.size === 0) return rows;
  return rows.map((row) => {
    const list = changes.get(row.key);
    return list ? list.reduce((now, { transition, seq }) => applyTransition(now, transition, seq), row) : row;
  });
}
