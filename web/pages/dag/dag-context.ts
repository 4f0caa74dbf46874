import { createContext } from 'svelte';
import type { DagQuery } from '../../graphql/documents/dags.ts';
import type { ResultOf } from '../../graphql/graphql.ts';

export type DagOnPage = NonNullable<ResultOf<typeof DagQuery>['dag']>;

/** The DAG that the page is of, kept live by its frame: `const dag = $derived(onPage().dag)`. */
export const [dagOnPage, setDagOnPage] = createContext<() => { dag: DagOnPage }>();
