/** Who may deploy a DAG that another source has. Pure. */
import type { KeptDag } from '#db/queries/dag.ts';

/**
 * Git sources keep what is theirs, from each other and from folders; a folder keeps its own from Git. Of a folder nobody may watch any
 * more, so another folder takes it over, as it does what was deployed by hand.
 */
export function ownerProblem(dagId: string, dag: KeptDag | undefined, source: string): string | null {
  if (!dag?.active || dag.source === null || dag.source === source) return null;
  const keeps = dag.source.startsWith('git:') || (dag.source.startsWith('folder:') && source.startsWith('git:'));
  if (!keeps) return null;
  return `The DAG '${dagId}' belongs to ${dag.source}. Remove it there, or give this one another id. To hand it over, deploy it once by hand with "millrace deploy".`;
}
