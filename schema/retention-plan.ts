/** What retention would delete if it ran now. */
import type { Db } from '#db/client.ts';
import { countAgedRuns, countExpiredRuns } from '#db/queries/expired-runs.ts';
import { countOldRows, OLD_ROWS } from '#db/queries/old-rows.ts';
import { isSpanAged, listOldSpans } from '#db/queries/old-spans.ts';
import { listDagPolicies, readRetentionPolicies, type DagPolicy } from '#db/queries/retention-policy.ts';

export interface PlannedDeletion {
  what: string;
  /** Null: of no DAG. */
  dagId: string | null;
  /** Null: because of the size. */
  seconds: number | null;
  count: number;
}
export interface PlannedPartition {
  name: string;
  bytes: number;
}
export interface RetentionPlan {
  deletions: PlannedDeletion[];
  partitions: PlannedPartition[];
}

export async function planRetention(db: Db): Promise<RetentionPlan> {
  const policies = await listDagPolicies(db);
  const deletions: PlannedDeletion[] = [];
  for (const policy of policies) deletions.push(...(await planDag(db, policy)));
  const service = await readRetentionPolicies(db);
  for (const what of OLD_ROWS) {
    const seconds = service[what];
    if (seconds !== null) deletions.push({ what, dagId: null, seconds, count: await countOldRows(db, what, seconds) });
  }
  const partitions = await planPartitions(db, policies);
  return { deletions: deletions.filter(({ count }) => count > 0), partitions };
}

async function planDag(db: Db, policy: DagPolicy): Promise<PlannedDeletion[]> {
  const { dagId, name, runs, logs, results } = policy;
  const planned: PlannedDeletion[] = [];
  const plan = (what: string, seconds: number, count: number) => planned.push({ what, dagId: name, seconds, count });
  if (runs !== null) plan('runs', runs, await countExpiredRuns(db, policy));
  if (logs !== null) plan('runs without logs', logs, await countAgedRuns(db, { dagId, what: 'logs', seconds: logs }));
  if (results !== null)
    plan('runs without results', results, await countAgedRuns(db, { dagId, what: 'results', seconds: results }));
  return planned;
}

/** Spans of days of which nothing is left then. */
async function planPartitions(db: Db, policies: readonly DagPolicy[]): Promise<PlannedPartition[]> {
  const planned: PlannedPartition[] = [];
  for (const span of await listOldSpans(db)) {
    if (span.hasRuns) {
      const aged = await isSpanAged(db, span, policies);
      let left = aged?.runs ?? 1;
      for (const policy of aged ? policies : [])
        if (policy.runs !== null) left -= await countExpiredRuns(db, policy, span);
      if (left > 0) continue;
    }
    planned.push({ name: span.name, bytes: span.bytes });
  }
  return planned;
}
