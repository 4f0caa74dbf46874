import type { WaitingReasonsQuery } from '../../graphql/documents/runs.ts';
import type { ResultOf } from '../../graphql/graphql.ts';

type Instances = ResultOf<typeof WaitingReasonsQuery>['taskInstances'];
export type WaitingReason = NonNullable<NonNullable<Instances[number]>['waitingReason']>;
/** By the id of the task instance; null: it does not wait. */
export type Reasons = ReadonlyMap<string, WaitingReason | null>;

/** As many as the service answers at once. */
export const MOST_AT_ONCE = 100;

/** Which tasks are to be asked for: each once for each of its events. */
export function createReasonWishes() {
  const asked = new Map<string, number>();
  const wished = new Map<string, number>();
  return {
    /** False: that was asked already. */
    add(id: string, seq: number): boolean {
      if (asked.get(id) === seq) return false;
      wished.set(id, seq);
      return true;
    },
    /** The next ones to ask for. */
    take(): { ids: string[]; more: boolean } {
      const now = [...wished].slice(0, MOST_AT_ONCE);
      for (const [id, seq] of now) {
        wished.delete(id);
        asked.set(id, seq);
      }
      return { ids: now.map(([id]) => id), more: wished.size > 0 };
    },
  };
}

/** `instances` are the answers for `ids`, in that order. */
export const withReasons = (
  known: Iterable<readonly [string, WaitingReason | null]>,
  ids: readonly string[],
  instances: Instances,
): Reasons => new Map([...known, ...ids.map((id, n) => [id, instances[n]?.waitingReason ?? null] as const)]);
