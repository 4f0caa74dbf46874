/** Caches of what never changes: compiled versions, and which version a run is pinned to. */
import type pg from 'pg';
import type { DagSpec } from '#sdk/dag-spec.ts';
import { compileDag, type CompiledDag } from './compiled-dag.ts';

const MOST_RUNS = 100_000;
const MOST_TASKS = 500_000;

export interface Versions {
  /** Undefined when not cached: await `loadRuns` first. */
  ofRun(runId: number): CompiledDag | undefined;
  loadRuns(runIds: readonly number[]): Promise<void>;
  load(versionIds: readonly number[]): Promise<void>;
  get(versionId: number): CompiledDag | undefined;
  pin(runId: number, versionId: number): void;
}

export function createVersions(pool: pg.Pool): Versions {
  const versions = new Map<number, CompiledDag>();
  const runs = new Map<number, number>();
  let taskCount = 0;

  const pin = (runId: number, versionId: number) => {
    if (runs.size >= MOST_RUNS) for (const oldest of runs.keys()) if (runs.delete(oldest)) break;
    runs.set(runId, versionId);
  };

  const add = (dag: CompiledDag) => {
    if (versions.has(dag.versionId)) return;
    versions.set(dag.versionId, dag);
    taskCount += dag.tasks.length;
    for (const [id, oldest] of versions) {
      if (taskCount <= MOST_TASKS || id === dag.versionId) break;
      versions.delete(id);
      taskCount -= oldest.tasks.length;
    }
  };

  const load = async (versionIds: readonly number[]) => {
    const missing = [...new Set(versionIds)].filter((id) => !versions.has(id));
    if (missing.length === 0) return;
    const { rows } = await pool.query<{
      id: number;
      dag_id: number;
      name: string;
      bundle_hash: string | null;
      spec: DagSpec;
    }>({
      name: 'load_versions',
      text: `select v.id, v.dag_id, d.name, v.bundle_hash, v.spec from dag_version v join dag d on d.id = v.dag_id where v.id = any($1::bigint[])`,
      values: [missing],
    });
    for (const row of rows) {
      add(
        compileDag({
          versionId: row.id,
          dagId: row.dag_id,
          dagName: row.name,
          bundleHash: row.bundle_hash,
          spec: row.spec,
        }),
      );
    }
  };

  const ofRun = (runId: number) => {
    const versionId = runs.get(runId);
    return versionId === undefined ? undefined : versions.get(versionId);
  };

  return {
    ofRun,
    async loadRuns(runIds) {
      const missing = [...new Set(runIds)].filter((id) => !ofRun(id));
      if (missing.length === 0) return;
      const { rows } = await pool.query<{ id: number; version_id: number }>({
        name: 'load_run_versions',
        text: `select id, version_id from dag_run where id = any($1::bigint[])`,
        values: [missing],
      });
      await load(rows.map((row) => row.version_id));
      for (const row of rows) pin(row.id, row.version_id);
    },
    load,
    get: (versionId) => versions.get(versionId),
    pin,
  };
}
