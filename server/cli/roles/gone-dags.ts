/** Which DAGs of a folder are defined no more. Pure. */

/** A DAG that the service keeps for the folder. */
export interface FolderDag {
  id: number;
  name: string;
  /** The file it was last deployed from, within the folder. */
  path: string | null;
}

/** A file of the folder, as it was last tried. */
export interface KnownFile {
  dagIds: string[];
  inputs: string[];
  /** It does not load, so nobody knows what it would define; `dagIds` are those of before. */
  failed: boolean;
}

/** Those whose file is gone or loads without them, unless another file defines them. `files` by their path within the folder. */
export function goneDags(dags: readonly FolderDag[], files: ReadonlyMap<string, KnownFile>): FolderDag[] {
  const defined = new Set([...files.values()].flatMap((file) => file.dagIds));
  return dags.filter(({ name, path }) => !defined.has(name) && !(path !== null && files.get(path)?.failed));
}
