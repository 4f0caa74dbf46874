import type { TaskState } from '#sdk/states.ts';
import type { TriggerRule } from '#sdk/dag-spec.ts';
import type { UpstreamCounts, Verdict } from '#db/engine/trigger-rules.ts';

/** One line of Airflow's table: what settles a task early, in order, and what lets it run. Written from its documentation, not from our code. */
interface Rule {
  flags: [when: (c: Counts) => boolean, verdict: Exclude<Verdict, 'ready' | null>][];
  runs: (c: Counts) => boolean;
}

interface Counts {
  upstream: number;
  success: number;
  failed: number;
  upstreamFailed: number;
  skipped: number;
  done: number;
}

const never: Rule['flags'] = [];

export const AIRFLOW_RULES: Record<TriggerRule, Rule> = {
  all_success: {
    flags: [
      [(c) => c.failed > 0 || c.upstreamFailed > 0, 'upstream_failed'],
      [(c) => c.skipped > 0, 'skipped'],
    ],
    runs: (c) => c.success === c.upstream,
  },
  all_failed: {
    flags: [[(c) => c.success > 0 || c.skipped > 0, 'skipped']],
    runs: (c) => c.failed + c.upstreamFailed === c.upstream,
  },
  all_done: { flags: never, runs: (c) => c.done >= c.upstream },
  all_done_min_one_success: {
    flags: [
      [(c) => c.skipped > 0, 'skipped'],
      [(c) => c.done === c.upstream && c.success === 0, 'upstream_failed'],
    ],
    runs: (c) => c.done === c.upstream && c.skipped === 0 && c.success >= 1,
  },
  all_skipped: {
    flags: [[(c) => c.success > 0 || c.failed > 0 || c.upstreamFailed > 0, 'skipped']],
    runs: (c) => c.skipped === c.upstream,
  },
  one_success: {
    flags: [
      [(c) => c.done === c.upstream && c.skipped === c.upstream, 'skipped'],
      [(c) => c.done === c.upstream && c.success === 0, 'upstream_failed'],
    ],
    runs: (c) => c.success >= 1,
  },
  one_failed: {
    flags: [[(c) => c.done === c.upstream && c.failed === 0 && c.upstreamFailed === 0, 'skipped']],
    runs: (c) => c.failed >= 1 || c.upstreamFailed >= 1,
  },
  one_done: {
    flags: [[(c) => c.done === c.upstream && c.success === 0 && c.failed === 0, 'skipped']],
    runs: (c) => c.success >= 1 || c.failed >= 1,
  },
  none_failed: {
    flags: [[(c) => c.failed > 0 || c.upstreamFailed > 0, 'upstream_failed']],
    runs: (c) => c.done === c.upstream && c.success + c.skipped === c.upstream,
  },
  none_failed_min_one_success: {
    flags: [
      [(c) => c.failed > 0 || c.upstreamFailed > 0, 'upstream_failed'],
      [(c) => c.skipped === c.upstream, 'skipped'],
    ],
    runs: (c) => c.done === c.upstream && c.failed + c.upstreamFailed === 0 && c.success >= 1,
  },
  none_skipped: { flags: [[(c) => c.skipped > 0, 'skipped']], runs: (c) => c.done === c.upstream && c.skipped === 0 },
  always: { flags: never, runs: () => true },
};

/** What Airflow says of these counts. A task without upstreams runs. */
export function airflowVerdict(rule: TriggerRule, counts: UpstreamCounts): Verdict {
  if (counts.total === 0) return 'ready';
  const { success, failed, upstreamFailed, skipped, total: upstream } = counts;
  const c = { upstream, success, failed, upstreamFailed, skipped, done: success + failed + upstreamFailed + skipped };
  for (const [when, verdict] of AIRFLOW_RULES[rule].flags) if (when(c)) return verdict;
  return AIRFLOW_RULES[rule].runs(c) ? 'ready' : null;
}

/** Counts the states of a task's upstreams. */
export function countStates(states: readonly TaskState[]): UpstreamCounts {
  const count = (...wanted: TaskState[]) => states.filter((state) => wanted.includes(state)).length;
  return {
    total: states.length,
    success: count('success'),
    failed: count('failed', 'cancelled'),
    upstreamFailed: count('upstream_failed'),
    skipped: count('skipped'),
  };
}
