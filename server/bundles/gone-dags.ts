/** Which DAGs of a source are defined no more. Pure. */

/** A DAG that the service keeps for the source. */
export interface SourceDag {
  id: number;
  name: string;
  /** The file it was last deployed from, within the source. */
  path: string | null;
}

/** A DAG file, as it was last tried. */
export interface KnownFile {
  dagIds: string[];
  inputs: string[];
  /** It does not load, so nobody knows what it would define; `dagIds` are those of before. */
  failed: boolean;
}

/** Those whose file is gone or loads without them, unless another file defines them. `files` by their path within the source. */
export function goneDags(dags: readonly SourceDag[], files: ReadonlyMap<string, KnownFile>): SourceDag[] {
  const defined = new Set([...files.values()].flatMap((file) => file.dagIds));
  return dags.filter(({ name, path }) => !defined.has(name) && !(path !== null && files.get(path)?.failed));
}
