import type { ResultOf } from '../graphql/graphql.ts';
import { DagChanges } from '../graphql/documents/dags.ts';
import { follow } from '../graphql/query.svelte.ts';
import { connection } from '../state/connection.svelte.ts';
import { createRefresh } from '../state/refresh.ts';

type DagChange = ResultOf<typeof DagChanges>['dagEvents'];

const REFRESH_EVERY_MS = 1000;

interface Options {
  /** True when the view shows something that the change made, moved or removed: the cache cannot know that by itself. */
  concerns(change: DagChange): boolean;
  refetch(): Promise<unknown>;
}

/**
 * Keeps a list page live. Changes of DAGs and runs that are shown arrive through the cache; a new run, or anything that
 * was missed, makes the list ask again, at most once a second.
 */
export function followDags({ concerns, refetch }: Options): void {
  const refresh = createRefresh(() => void refetch(), REFRESH_EVERY_MS);
  follow(
    DagChanges,
    () => ({}),
    ({ dagEvents: change }) => {
      if (change.kind === 'RESYNC' || concerns(change)) refresh.wish();
    },
  );
  $effect(() => {
    const removeCatchUp = connection.onReconnect(refetch);
    return () => {
      removeCatchUp();
      refresh.stop();
    };
  });
}
