/** Ends what ran on a cluster that was removed: nobody can reach it any more. */
import type pg from 'pg';
import { formatDispatchId } from '#db/engine/dispatch-id.ts';
import type { Engine } from '#db/engine/engine.ts';
import { takeLaunchesOfRemovedClusters } from '#db/queries/removed-clusters.ts';
import type { TaskReport } from '#sdk/protocol.ts';

/** Says how many. What had not begun goes back to the line, where it waits for a cluster of the name. */
export async function endRemoved(pool: pg.Pool, engine: Pick<Engine, 'report'>): Promise<number> {
  const launches = await takeLaunchesOfRemovedClusters(pool);
  const reports = launches.map((launch): TaskReport => {
    const message = `Cluster "${launch.cluster}" was removed while its task was there. ${launch.name ?? 'What it has left'} may still run.`;
    const common = { dispatchId: formatDispatchId(launch), cause: 'node_lost', message, logBytes: 0 } as const;
    return { ...common, outcome: launch.phase === 'waiting' ? 'released' : 'failed' };
  });
  if (reports.length > 0) await engine.report({ workerId: null, reports });
  return reports.length;
}
