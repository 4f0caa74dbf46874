/** Pure: what is reported of a launch that has ended. */
import { formatDispatchId } from '#db/engine/dispatch-id.ts';
import type { Json, TaskReport } from '#sdk/protocol.ts';
import { maskJson, type Mask } from '../../runner/mask.ts';
import type { Entry } from './launch-context.ts';
import { type LaunchRefused, type ObjectEnd, type Target } from './target.ts';

/** `logBytes`: all of its log is stored. */
export function reportOf(entry: Entry, target: Target, end: ObjectEnd, logBytes: number, mask: Mask): TaskReport {
  const dispatchId = formatDispatchId(entry.key);
  const startedAt = entry.launch.startedAt?.toISOString() ?? null;
  const message = end.message === '' ? null : mask(end.message);
  const { rendered, mapName } = target;
  const common = { dispatchId, logBytes, startedAt, rendered, mapName, cause: end.cause, message };
  // Nothing of it has run: as if it had never been launched. What was seen to run has run, whatever the cluster says in the end
  if (end.outcome === 'failed' && end.free && startedAt === null) return { ...common, outcome: 'released' };
  const facts = { exitCode: end.exitCode, evidence: maskJson(mask, end.evidence) as { [name: string]: Json } };
  if (end.outcome !== 'success')
    return { ...common, ...facts, outcome: end.outcome, ...(!end.retryable && { retryable: false }) };
  const results = target.results(end);
  if ('invalid' in results)
    return {
      ...common,
      ...facts,
      outcome: 'failed',
      cause: 'result_invalid',
      message: mask(results.invalid),
      retryable: false,
    };
  return { ...common, outcome: 'success', exitCode: end.exitCode, ...results };
}

export function refusedReport(entry: Entry, error: LaunchRefused, logBytes: number, mask: Mask): TaskReport {
  return {
    dispatchId: formatDispatchId(entry.key),
    outcome: 'failed',
    cause: error.taskCause,
    message: mask(error.message),
    retryable: false,
    logBytes,
  };
}
