import type { AnyVariables, CombinedError, RequestPolicy, TypedDocumentNode } from '@urql/core';
import { client } from './client.ts';

/**
 * A query that follows its variables: what `variables` reads is tracked, and null pauses it. While new variables load,
 * `data` keeps the former answer and `fetching` says so.
 */
export class LiveQuery<Data, Variables extends AnyVariables> {
  data = $state.raw<Data>();
  error = $state.raw<CombinedError>();
  fetching = $state(true);
  #document: TypedDocumentNode<Data, Variables>;
  #variables: () => Variables | null;

  constructor(document: TypedDocumentNode<Data, Variables>, variables: () => Variables | null) {
    this.#document = document;
    this.#variables = variables;
    $effect(() => {
      const current = variables();
      if (current === null) return;
      this.fetching = true;
      const { unsubscribe } = client.query(document, current).subscribe((result) => {
        if (result.data !== undefined) this.data = result.data;
        this.error = result.error;
        this.fetching = result.stale;
      });
      return unsubscribe;
    });
  }

  /** Asks the server again; resolves when the answer is in the cache and so in `data`. */
  async refetch(requestPolicy: RequestPolicy = 'network-only'): Promise<void> {
    const current = this.#variables();
    if (current === null) return;
    const result = await client.query(this.#document, current, { requestPolicy }).toPromise();
    if (result.error) this.error = result.error;
  }
}

/** A subscription for as long as the component lives; null pauses it. */
export function follow<Data, Variables extends AnyVariables>(
  document: TypedDocumentNode<Data, Variables>,
  variables: () => Variables | null,
  onData: (data: Data) => void,
  onError: (error: CombinedError) => void = () => {},
): void {
  $effect(() => {
    const current = variables();
    if (current === null) return;
    const { unsubscribe } = client.subscription(document, current).subscribe((result) => {
      if (result.error) onError(result.error);
      else if (result.data) onData(result.data);
    });
    return unsubscribe;
  });
}
