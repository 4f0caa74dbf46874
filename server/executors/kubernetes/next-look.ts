/** When a cluster is looked at again. */
import type { ClusterHealth, ClusterRecord } from '#db/queries/clusters.ts';

/** The last look at a cluster. */
export interface Looked {
  revision: number;
  /** As all times here: milliseconds of a monotonic clock. */
  at: number;
  health: ClusterHealth;
}

const WELL_MS = 30_000;
/** Somebody is at work on it, or tasks wait for it. */
const NOT_WELL_MS = 10_000;
/** Requests go wrong in numbers; one look tells for all. */
const SUSPECT_MS = 2_000;

/** The time of the next look; in the past: now. */
export function nextLook(
  { revision }: Pick<ClusterRecord, 'revision'>,
  looked: Looked | undefined,
  isSuspect: boolean,
): number {
  if (!looked || looked.revision !== revision) return -Infinity;
  if (isSuspect) return looked.at + SUSPECT_MS;
  return looked.at + (looked.health.state === 'ok' ? WELL_MS : NOT_WELL_MS);
}
