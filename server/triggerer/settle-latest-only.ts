/** Is this the newest run that its schedule wants by now? If not, what depends on the task directly is skipped. */
import type { LatestOnlyTaskSpec } from '#sdk/dag-spec.ts';
import { isLatestRun } from '#db/queries/awaited-runs.ts';
import type { Settle } from './triggerer-deps.ts';

export const settleLatestOnly: Settle<LatestOnlyTaskSpec> = async ({ db }, dispatch) => {
  const { run } = dispatch;
  // Whoever starts a run by hand means this one
  const isLatest = run.kind === 'manual' || (await isLatestRun(db, Number(run.runId)));
  if (isLatest) return { outcome: 'success', cause: 'ok', branch: null };
  return { outcome: 'success', cause: 'ok', message: 'A later run is due already.', branch: [] };
};
