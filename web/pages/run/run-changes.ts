import type { RunEvents } from '../../graphql/documents/runs.ts';
import type { ResultOf } from '../../graphql/graphql.ts';
import { rowKey, type Transition } from './task-rows.ts';

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
