import type { dagText } from '../../messages/dag.ts';
import { path } from '../../router.ts';

/** The views of a DAG, in the order of their tabs; each is a page at `/dags/<dag>/<view>`. */
export const DAG_VIEWS = ['runs', 'tasks'] as const satisfies readonly (keyof ReturnType<typeof dagText>)[];
export type DagView = (typeof DAG_VIEWS)[number];

/** The first is also at the address of the DAG itself. */
export const viewPath = (dagId: string, view: DagView): string =>
  view === DAG_VIEWS[0] ? path.dag(dagId) : `${path.dag(dagId)}/${view}`;
