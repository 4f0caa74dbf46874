import type { Db } from '#db/client.ts';
import { findDagNames } from '#db/queries/events.ts';

const MOST = 50_000;

export interface DagNames {
  /** By run id, or minus DAG id. A run never changes its DAG, nor a DAG its name. */
  of(runIds: readonly number[]): Promise<ReadonlyMap<number, string>>;
}

export function createDagNames(db: Db): DagNames {
  const known = new Map<number, string>();
  return {
    async of(runIds) {
      const missing = [...new Set(runIds)].filter((id) => !known.has(id));
      for (const [id, name] of await findDagNames(db, missing)) known.set(id, name);
      for (const oldest of known.keys()) if (known.size <= MOST || !known.delete(oldest)) break;
      return known;
    },
  };
}
