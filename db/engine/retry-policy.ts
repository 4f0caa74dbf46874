/** After a failure: another try, the end, or skipped. Pure. */
import type { TaskSpecBase } from '#sdk/dag-spec.ts';
import type { RetryRule } from '#sdk/retry-rules.ts';
import { compilePattern, type SafePattern } from '#sdk/safe-pattern.ts';
import { isInfraCause, type TaskCause } from '#sdk/states.ts';
import { retryDelaySeconds } from './retry-delay.ts';

export type RetrySpec = Pick<
  TaskSpecBase,
  'retryDelay' | 'retryBackoff' | 'maxRetryDelay' | 'retryRules' | 'infraRetries'
>;

export interface Failure {
  cause: TaskCause;
  exitCode: number | null;
  message: string | null;
  /** The error's class and those it inherits from, with their modules where known. */
  exceptions: readonly string[];
  /** False: the task itself, or what it gave, says that another try is of no use. */
  retryable: boolean;
}

export interface TriesSoFar {
  tryNumber: number;
  /** The last one it may have. */
  maxTries: number;
  /** Tries that the infrastructure's failures have been given on top. */
  infraRetries: number;
}

export type RetryDecision = (
  | { outcome: 'failed' | 'skipped' }
  | {
      outcome: 'up_for_retry';
      /** Seconds. */
      delay: number;
      /** Given on top of the task's own retries. */
      isExtra: boolean;
    }
) & {
  /** Place of the rule that decided. */
  rule: number | null;
};

/** Seconds before the first extra try; doubles. What failed was not the task, so its own delay is too long more often than not. */
const INFRA_DELAY = 5;

/**
 * The first rule that holds decides; without one, a failure is tried again. A failure of the infrastructure gets an extra try while
 * there are any (`infraRetries`), and counts as an ordinary one when they are used up.
 */
export function decideRetry(
  spec: RetrySpec,
  failure: Failure,
  tries: TriesSoFar | undefined,
  seed: string,
): RetryDecision {
  // A person or a newer dispatch ended it: nothing to decide
  if (failure.cause === 'cancelled') return { outcome: 'failed', rule: null };
  // What was deployed by an earlier version has none
  const rules = spec.retryRules ?? [];
  const at = rules.findIndex((rule) => holds(rule, failure));
  const rule = rules[at];
  const decided = rule ? at : null;
  if (rule?.action === 'skip') return { outcome: 'skipped', rule: decided };
  if (rule?.action === 'fail' || !failure.retryable || !tries) return { outcome: 'failed', rule: decided };
  const isExtra = isInfraCause(failure.cause) && tries.infraRetries < (spec.infraRetries ?? 0);
  if (!isExtra && tries.tryNumber >= tries.maxTries) return { outcome: 'failed', rule: decided };
  const own = retryDelaySeconds(spec, tries.tryNumber, seed);
  const delay = rule?.delay ?? (isExtra ? Math.min(own, infraDelay(tries, seed)) : own);
  return { outcome: 'up_for_retry', delay, isExtra, rule: decided };
}

const infraDelay = ({ infraRetries }: TriesSoFar, seed: string): number =>
  retryDelaySeconds({ retryDelay: INFRA_DELAY, retryBackoff: 2, maxRetryDelay: 300 }, infraRetries + 1, seed);

function holds(rule: RetryRule, { exitCode, exceptions, message, cause }: Failure): boolean {
  const isIn = <T>(wanted: readonly T[], test: (one: T) => boolean) => wanted.length === 0 || wanted.some(test);
  return (
    isIn(rule.cause, (one) => one === cause) &&
    isIn(rule.exitCode, (one) => one === exitCode) &&
    isIn(rule.exception, (one) => exceptions.some((name) => name === one || name.endsWith(`.${one}`))) &&
    (rule.message === null || (message !== null && patternOf(rule).test(message)))
  );
}

const NEVER: SafePattern = { test: () => false };
const patterns = new WeakMap<RetryRule, SafePattern>();

function patternOf(rule: RetryRule): SafePattern {
  const known = patterns.get(rule);
  if (known) return known;
  const compiled = compilePattern(rule.message ?? '');
  // Checked when it was deployed
  const pattern = typeof compiled === 'string' ? NEVER : compiled;
  patterns.set(rule, pattern);
  return pattern;
}
