import type { CombinedError } from '@urql/core';
import { client } from '../graphql/client.ts';
import { DagChanges, EventCursorQuery } from '../graphql/documents/dags.ts';
import type { ResultOf } from '../graphql/graphql.ts';
import { follow } from '../graphql/query.svelte.ts';
import { connection } from '../state/connection.svelte.ts';
import { createRefresh } from '../state/refresh.ts';

export type DagChange = ResultOf<typeof DagChanges>['dagEvents'];

const REFRESH_EVERY_MS = 1000;

interface Options {
  /** True when the view shows something that the change made, moved or removed: the cache cannot know that by itself. */
  concerns(change: DagChange): boolean;
  refetch(): Promise<unknown>;
}

/**
 * Keeps a list page live. Changes of DAGs and runs that are shown arrive through the cache; a new run, or anything that
 * was missed, makes the list ask again, at most once a second. Lists load once the feed is `ready`.
 */
export class DagFeed {
  error = $state.raw<CombinedError>();
  #after = $state.raw<string>();
  readonly ready = $derived(this.#after !== undefined);

  constructor({ concerns, refetch }: Options) {
    const refresh = createRefresh(() => void refetch(), REFRESH_EVERY_MS);
    follow(
      DagChanges,
      () => (this.#after === undefined ? null : { after: this.#after }),
      ({ dagEvents: change }) => {
        if (change.kind === 'RESYNC' || concerns(change)) refresh.wish();
      },
    );
    $effect(() => {
      void this.start();
      const removeCatchUp = connection.onReconnect(refetch);
      return () => {
        removeCatchUp();
        refresh.stop();
      };
    });
  }

  /** Notes where the events stand before anything is read. */
  async start(): Promise<void> {
    const { data, error } = await client.query(EventCursorQuery, {}, { requestPolicy: 'network-only' }).toPromise();
    this.error = data ? undefined : error;
    this.#after = data?.eventCursor;
  }
}
